"""Annotation files in COCO format as they lie on disk: one JSON object per split."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tradeoffs.errors import UserError
from tradeoffs.files import write_whole

TOP_LEVEL_KEYS = ("images", "annotations", "categories")
LARGEST = sys.float_info.max
SHOWN = 60  # characters of a wrong value


def read_annotation_file(path: Path) -> dict:
    """The file's `images`, `annotations` and `categories`, each a list of dicts, with its other entries.

    Raises UserError where there is no such file, it is no JSON, or one of the three is not there.
    """
    try:
        with no_garbage_collection():
            content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); expected COCO format") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UserError(f"{path}: broken JSON at {place} ({error.msg}); fetch or write the file again") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file; expected COCO format") from None
    except (ValueError, RecursionError):  # thousands of digits, or of brackets one in the other
        raise UserError(f"{path}: holds numbers or brackets without end; expected COCO format") from None
    _require_lists(content, path)
    return content


def without_copies(entries: list[dict]) -> list[dict]:
    """The entries without those that equal the first one of the same id."""
    if len({str(entry.get("id")) for entry in entries}) == len(entries):
        return entries
    first: dict[str, dict] = {}
    kept = []
    for entry in entries:
        twin = first.setdefault(str(entry["id"]), entry) if "id" in entry else entry
        if twin is entry or twin != entry:
            kept.append(entry)
    return kept


def write_annotation_file(content: dict, path: Path) -> None:
    """Writes all or nothing: a file that exists is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps(content))


def is_number(value: object) -> bool:
    """True for a finite JSON number; JSON as Python reads it knows NaN, Infinity and endless integers, boxes do not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST


def are_numbers(values: list) -> bool:
    """`is_number` of many at once, in a tenth of the time."""
    try:
        return set(map(type, values)) <= {int, float} and sum(map(abs, values)) <= LARGEST
    except OverflowError:
        return False


def is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and are_numbers(value)


def keypoint_names(category: dict) -> list[str]:
    """Of a class; none where what stands there is no list of names."""
    names = category.get("keypoints")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def are_keypoints(value: object, joints: int) -> bool:
    """Whether it is `x, y, visibility` of each joint, or nothing at all."""
    return not value or (isinstance(value, list) and len(value) == 3 * joints and are_numbers(value))


def area_fault(area: object, largest: float = float("inf")) -> str | None:
    """Why it is the area of no object in an image of `largest` square pixels; None if it is one."""
    if area is None:
        return "missing"
    if not is_number(area) or area <= 0:
        return f"{short(area)}, which is no area"
    return f"{area:g}, more than its whole image" if area > largest else None


def area_of(annotation: dict, largest: float = float("inf")) -> float:
    """The annotation's area where it is one, else its box's."""
    area = annotation.get("area")
    return annotation["bbox"][2] * annotation["bbox"][3] if area_fault(area, largest) else area


def short(value: object) -> str:
    """What stands in a file, as much of it as fits into a line."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Halves the time for a large file: the collector would walk over millions of new objects, again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _require_lists(content: object, path: Path) -> None:
    entries = content if isinstance(content, dict) else {}
    lacking = [key for key in TOP_LEVEL_KEYS if not _is_list_of_objects(entries.get(key))]
    if lacking:
        keys = ", ".join(TOP_LEVEL_KEYS)
        raise UserError(f"{path}: has no valid {', '.join(lacking)}; COCO format is an object with lists {keys}")


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
