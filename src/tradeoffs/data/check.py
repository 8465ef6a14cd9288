"""Finds every fault of a data set in COCO format before training, at once, and decides what follows from them."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from tqdm import tqdm

from tradeoffs.data.annotation_check import annotation_findings
from tradeoffs.data.annotation_file import read_annotation_file
from tradeoffs.data.image_check import image_fault
from tradeoffs.errors import UserError

log = logging.getLogger(__name__)

CACHE_VERSION = 1


class Fault(NamedTuple):
    """One fault in one line. Leaving out the image or annotation it names, if any, mends the data set."""

    severity: Literal["error", "warning"]
    where: str
    what: str
    image_id: int | None = None
    annotation_id: int | None = None

    @property
    def can_be_left_out(self) -> bool:
        return self.image_id is not None or self.annotation_id is not None

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}"


class LeftOut(NamedTuple):
    """Ids that `CocoDataset` shall not read."""

    images: frozenset[int] = frozenset()
    annotations: frozenset[int] = frozenset()


def check_dataset(images: Path, annotations: Path, cache: bool = True) -> list[Fault]:
    """All faults of a split. A verdict without errors is remembered until the file or the image folder changes."""
    remembered = _remembered(images, annotations) if cache else None
    if remembered is not None:
        return remembered
    faults = list(_faults(images, annotations))
    if cache and not any(fault.severity == "error" for fault in faults):
        _remember(images, annotations, faults)
    return faults


def require_sound(
    faults: Mapping[Path, list[Fault]], on_fault: Literal["stop", "drop"] = "stop"
) -> dict[Path, LeftOut]:
    """Raises UserError with all faults of all splits (by annotation file) if there is an error in any.

    Otherwise logs one line for each split that has warnings. `on_fault="drop"` returns what to leave out instead of
    raising, where that is enough, and logs how much it is.
    """
    errors = {file: [fault for fault in found if fault.severity == "error"] for file, found in faults.items()}
    fatal = [file for file in errors if any(on_fault == "stop" or not fault.can_be_left_out for fault in errors[file])]
    if fatal:
        headline = "; ".join(_headline(errors[file], "fault", file) for file in fatal)
        raise UserError(headline, details=tuple(str(fault) for file in fatal for fault in faults[file]))
    for file, found in faults.items():
        if len(found) > len(errors[file]):
            log.warning(_headline([fault for fault in found if fault.severity == "warning"], "warning", file))
    return {file: _leave_out(found, file) for file, found in errors.items()}


def _leave_out(errors: list[Fault], annotations: Path) -> LeftOut:
    left_out = LeftOut(
        frozenset(fault.image_id for fault in errors if fault.image_id is not None),
        frozenset(fault.annotation_id for fault in errors if fault.annotation_id is not None),
    )
    if errors:
        counts = f"left out images: {len(left_out.images)}, annotations: {len(left_out.annotations)}"
        log.warning("%s; %s", counts, _headline(errors, "fault", annotations))
    return left_out


def _headline(faults: list[Fault], noun: str, annotations: Path) -> str:
    plural, more = ("s", ", ...") if len(faults) > 1 else ("", "")
    return f"{len(faults)} {noun}{plural} in {annotations}: {faults[0].where}: {faults[0].what}{more}"


def _faults(images: Path, annotations: Path) -> Iterator[Fault]:
    has_folder = images.is_dir()
    if not has_folder:
        yield Fault("error", str(images), "there is no such image folder")
    try:
        content = read_annotation_file(annotations)
    except UserError as error:
        yield Fault("error", str(annotations), str(error).removeprefix(f"{annotations}: "))
        return
    malformed = list(_malformed_entries(content, annotations.name))
    yield from malformed
    yield from _set_faults(content, annotations.name)
    if malformed:  # the rest could not be read
        return
    yield from _annotation_faults(content, annotations.name)
    if has_folder:
        yield from _file_faults(content["images"], images)


def _malformed_entries(content: dict, file: str) -> Iterator[Fault]:
    needed = {
        "images": {"id": int, "file_name": str, "width": int, "height": int},
        "annotations": {"id": int, "image_id": int, "category_id": int},
        "categories": {"id": int, "name": str},
    }
    for kind, keys in needed.items():
        for number, entry in enumerate(content[kind]):
            wrong = [key for key, key_type in keys.items() if not isinstance(entry.get(key), key_type)]
            if wrong:
                yield Fault("error", f"{file}, {kind}[{number}]", f"has no valid {', '.join(wrong)}")


def _set_faults(content: dict, file: str) -> Iterator[Fault]:
    """What is wrong with the split as a whole: emptiness, ids that stand twice, classes without an object."""
    for kind in ("images", "annotations", "categories"):
        if not content[kind]:
            yield Fault("warning" if kind == "annotations" else "error", file, f"has no {kind}")
        times = Counter(str(entry.get("id")) for entry in content[kind] if "id" in entry)
        for value in (value for value, count in times.items() if count > 1):
            yield Fault("error", f"{file}, {kind}", f"the id {value} stands {times[value]} times; ids are unique")
    occurring = {str(annotation.get("category_id")) for annotation in content["annotations"]}
    absent = [
        str(category.get("name")) for category in content["categories"] if str(category.get("id")) not in occurring
    ]
    if absent:
        count = f"{len(absent)} of {len(content['categories'])} classes"
        yield Fault("warning", file, f"{count} never occur: {', '.join(absent)}")


def _annotation_faults(content: dict, file: str) -> Iterator[Fault]:
    images = {image["id"]: image for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    joints = max((len(category.get("keypoints") or ()) for category in content["categories"]), default=0)
    for annotation in content["annotations"]:
        number, image = annotation["id"], images.get(annotation["image_id"])
        where = f"{file}, annotation {number} of image {annotation['image_id']}"
        if annotation["category_id"] not in categories:
            yield Fault("error", where, f"there is no category {annotation['category_id']}", annotation_id=number)
        if image is None:
            yield Fault("error", where, "there is no image of this id", annotation_id=number)
            continue
        for severity, what in annotation_findings(annotation, image["width"], image["height"], joints):
            yield Fault(severity, where, what, annotation_id=number)


def _file_faults(entries: list[dict], folder: Path) -> Iterator[Fault]:
    def fault(entry: dict) -> str | None:
        return image_fault(folder / entry["file_name"], entry["width"], entry["height"])

    with ThreadPoolExecutor(16) as pool:
        found = list(tqdm(pool.map(fault, entries), "checking images", len(entries), leave=False, delay=1))
    for entry, what in zip(entries, found, strict=True):
        if what:
            yield Fault("error", f"{folder / entry['file_name']} (image {entry['id']})", what, image_id=entry["id"])


def _cache_file(annotations: Path) -> Path:
    return annotations.parent / ".checked" / annotations.name


def _state(images: Path, annotations: Path) -> list:
    file, folder = annotations.stat(), images.stat()
    return [CACHE_VERSION, str(images.resolve()), folder.st_mtime_ns, file.st_size, file.st_mtime_ns]


def _remembered(images: Path, annotations: Path) -> list[Fault] | None:
    try:
        verdict = json.loads(_cache_file(annotations).read_bytes())
        return (
            [Fault(*fault) for fault in verdict["faults"]] if verdict["state"] == _state(images, annotations) else None
        )
    except (OSError, json.JSONDecodeError):
        return None


def _remember(images: Path, annotations: Path, faults: list[Fault]) -> None:
    """Nothing is written where the annotation file lies in a folder without write permission, not even by root."""
    file = _cache_file(annotations)
    if not file.parent.parent.stat().st_mode & 0o222 or not os.access(file.parent.parent, os.W_OK):
        return
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps({"state": _state(images, annotations), "faults": faults}))
    part.replace(file)
