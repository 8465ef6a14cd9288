"""Which data these are: a hash of each split, by which results of two data sets are never taken for those of one.

It depends on all that training and scores depend on: names, ids and sizes of images, boxes, classes and whatever else
is annotated, in the file's order, and the names and byte sizes of the photos. It does not depend on where they lie, on
when they were written or on how the JSON is formatted, so a copy on another machine is the same data. The pixels
themselves are not read: another photo of the same name and the very same number of bytes is not noticed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tradeoffs.data.annotation_file import TOP_LEVEL_KEYS, no_garbage_collection, read_annotation_file, without_copies
from tradeoffs.data.check import check_dataset
from tradeoffs.data.faults import left_out_by
from tradeoffs.data.kept_files import file_stamps, keep, kept
from tradeoffs.data.sources import SplitName, existing_split
from tradeoffs.errors import UserError

VERSION = 1  # raised when equal data get another hash
DIGITS = 16
SUFFIX = ".content"  # of what is kept beside the verdict of the check


class Content(NamedTuple):
    """Of an annotation file: a hash of what it says, and the names of its photos."""

    digest: str
    file_names: list[str]


def fingerprint_of(data: Mapping[str, Any], split: SplitName) -> str | None:
    """The hash of a split as it lies here now, nothing is fetched or drawn; None where it is not here.

    `data` are the settings of a data set, as in `conf/data`. What the program draws by itself goes by its recipe: the
    bytes of a photo depend on the version of the library that wrote it, which is not what makes it another data set.
    What `on_fault=drop` leaves out belongs to the hash.
    """
    source = data.get("source") or {}
    try:
        found = existing_split(source, split, renew=True)
        left_out = _left_out(*found) if found and data.get("on_fault") == "drop" else []
        if str(source.get("_target_")).endswith("sources.shapes"):
            return _hashed(_as_json(_recipe(source, split)), _as_json(left_out))
        return fingerprint(*found, left_out) if found else None
    except (UserError, OSError):  # what is wrong with them is said when they are read
        return None


def fingerprint(images: Path, annotations: Path, left_out: Sequence = ()) -> str:
    """Sixteen hexadecimal digits for a split. Raises UserError where its annotation file cannot be read.

    The annotation file is parsed once and its hash remembered beside it; the photos' sizes are asked for every time.
    """
    content = _remembered(annotations) or _read(annotations)
    sizes = file_stamps(images, content.file_names)[:, 0]
    return _hashed(content.digest.encode(), sizes.astype("<i8").tobytes(), _as_json(left_out))


def _recipe(source: Mapping[str, Any], split: SplitName) -> list:
    """A larger set begins with the pictures of a smaller one, so the size of the other split does not matter."""
    from tradeoffs.data.shapes.maker import VERSION as DRAWING

    return ["shapes", DRAWING, source.get("seed", 0), split, source.get(f"num_{split}")]


def _left_out(images: Path, annotations: Path) -> list:
    """Ids of images and places of annotations; empty where there are neither."""
    found = left_out_by(check_dataset(images, annotations))
    return [sorted(part) for part in found] if any(found) else []


def _read(annotations: Path) -> Content:
    state = _state(annotations)  # before it is read: what is written meanwhile must be read again
    with no_garbage_collection():
        content = read_annotation_file(annotations)
        entries = {kind: without_copies(content[kind]) for kind in TOP_LEVEL_KEYS}
        found = Content(_digest(**entries), [str(image.get("file_name")) for image in entries["images"]])
    keep(annotations, SUFFIX, [state, *found])
    return found


def _digest(images: list[dict], annotations: list[dict], categories: list[dict]) -> str:
    """Of what the entries mean. Ids of annotations mean nothing."""
    boxes, areas = _column(annotations, "bbox", []), [[area] for area in _column(annotations, "area", -1)]
    crowd = [[int(bool(each))] for each in _column(annotations, "iscrowd", 0)]
    shapes = _column(annotations, "segmentation", [])
    polygons = [shape if _is_polygons(shape) else [] for shape in shapes]
    codes = [shape for shape, found in zip(shapes, polygons, strict=True) if shape and not found]
    return _hashed(
        _as_json([[image.get(key) for key in ("id", "file_name", "width", "height")] for image in images]),
        _as_json([[each.get(key) for key in ("id", "name", "keypoints")] + _kind(each) for each in categories]),
        _as_json(_column(annotations, "image_id")),
        _as_json(_column(annotations, "category_id")),
        *map(_numbers, (boxes, areas, crowd, _column(annotations, "keypoints", []))),
        _as_json([len(found) or -bool(shape) for shape, found in zip(shapes, polygons, strict=True)]),
        _numbers(list(chain.from_iterable(polygons))),
        _as_json(codes),
    )


def _kind(category: dict) -> list:
    """Of a class that is said to be stuff, or things; the others keep the hash that they had before this counted."""
    return [category["isthing"]] if "isthing" in category else []


def _column(entries: list[dict], key: str, default: Any = None) -> list:
    return [default if (value := entry.get(key)) is None else value for entry in entries]


def _is_polygons(shape: object) -> bool:
    return isinstance(shape, list) and bool(shape) and isinstance(shape[0], list)


def _numbers(rows: list) -> bytes:
    """Rows of numbers, so that 10 and 10.0 are one; whatever else they hold as it stands there."""
    try:
        lengths = np.fromiter(map(len, rows), "<i8", len(rows))
        numbers = np.fromiter(chain.from_iterable(rows), "<f8", lengths.sum())
    except (TypeError, ValueError, OverflowError):
        return _as_json(rows)
    return lengths.tobytes() + numbers.tobytes()


def _as_json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _hashed(*parts: bytes) -> str:
    total = hashlib.sha256(str(VERSION).encode())
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:DIGITS]


def _state(annotations: Path) -> list[int]:
    """What changes with the file. Its time of change tells even a file that was given its former date."""
    file = annotations.stat()
    return [VERSION, file.st_size, file.st_mtime_ns, file.st_ctime_ns]


def _remembered(annotations: Path) -> Content | None:
    try:
        state, *content = kept(annotations, SUFFIX)
        return Content(*content) if state == _state(annotations) else None
    except (OSError, ValueError, TypeError):
        return None
