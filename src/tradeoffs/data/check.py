"""Finds every fault of a data set in COCO format before training, at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tradeoffs.data.annotation_check import annotation_findings
from tradeoffs.data.annotation_file import is_box, keypoint_names, read_annotation_file, short, without_copies
from tradeoffs.data.box_check import box_findings
from tradeoffs.data.faults import Fault
from tradeoffs.data.image_check import image_faults
from tradeoffs.data.verdict_file import remember, remembered, state_of
from tradeoffs.errors import UserError


class Kind(NamedTuple):
    """What a value may be."""

    words: str
    allows: Callable[[object], bool]


MOST_NAMED = 10  # classes that never occur

WHOLE = Kind("a whole number of at most 64 bits", lambda value: type(value) is int and -(2**63) <= value < 2**63)
PIXELS = Kind("a whole number of pixels, 1 or more", lambda value: type(value) is int and 0 < value < 2**31)
TEXT = Kind("a text", lambda value: isinstance(value, str) and value != "")

NEEDED = {
    "images": {"id": WHOLE, "file_name": TEXT, "width": PIXELS, "height": PIXELS},
    "annotations": {"image_id": WHOLE, "category_id": WHOLE},
    "categories": {"id": WHOLE, "name": TEXT},
}


def check_dataset(
    images: Path, annotations: Path, cache: bool = True, with_masks: bool = False, with_keypoints: bool = False
) -> list[Fault]:
    """All faults of a split. A verdict is remembered until the annotation file or one of its images changes.

    Unusable masks and keypoints are errors where they are asked for, else warnings.
    """
    asked = (with_masks, with_keypoints)
    known = remembered(images, annotations, asked) if cache else None
    if known is not None:
        return known
    folder = [] if images.is_dir() else [Fault("error", str(images), "there is no such image folder")]
    try:
        content = read_annotation_file(annotations)
    except UserError as error:
        return [*folder, Fault("error", annotations.name, str(error).removeprefix(f"{annotations}: "))]
    faults = [*folder, *_malformed_entries(content, annotations.name)]
    readable = len(faults) == len(folder)
    faults += _set_faults(content, annotations.name)
    if readable:
        faults += _annotation_faults(content, annotations.name, *asked)
    if folder or not readable:
        return faults
    names = [image["file_name"] for image in content["images"]]
    state = state_of(images, annotations, names, asked)  # before the files are looked at: they may change meanwhile
    faults += image_faults(content, images, annotations.name)
    if cache:
        remember(annotations, state, names, faults)
    return faults


def _malformed_entries(content: dict, file: str) -> Iterator[Fault]:
    for kind, keys in NEEDED.items():
        for key, needed in keys.items():
            wrong = [number for number, entry in enumerate(content[kind]) if not needed.allows(entry.get(key))]
            if wrong:
                value = content[kind][wrong[0]].get(key)
                what = f"has no {key}; it needs" if value is None else f"its {key} is {short(value)} instead of"
                where = f"{file}, {kind}[{wrong[0]}]"
                yield Fault("error", where, f"{what} {needed.words}", more=len(wrong) - 1)


def _set_faults(content: dict, file: str) -> Iterator[Fault]:
    """What is wrong with the split as a whole: emptiness, ids that stand twice, classes without an object."""
    for kind in ("images", "annotations", "categories"):
        if not content[kind]:
            yield Fault("warning" if kind == "annotations" else "error", file, f"has no {kind}")
    for kind in ("images", "categories"):
        yield from _repeated_ids(content[kind], f"{file}, {kind}")
    yield from _repeated_annotations(content["annotations"], f"{file}, annotations")
    yield from _repeated_texts(content["images"], "file_name", file, "stand for one photo, {}, which counts each time")
    yield from _repeated_texts(content["categories"], "name", file, "are called {}; they are classes of their own")
    if content["annotations"]:
        yield from _absent_classes(content, file)


def _absent_classes(content: dict, file: str) -> Iterator[Fault]:
    occurring = {str(annotation.get("category_id")) for annotation in content["annotations"]}
    absent = [
        str(category.get("name")) for category in content["categories"] if str(category.get("id")) not in occurring
    ]
    if absent:
        count = f"{len(absent)} of {len(content['categories'])} classes"
        more = ", ..." if len(absent) > MOST_NAMED else ""
        yield Fault("warning", file, f"{count} never occur: {', '.join(absent[:MOST_NAMED])}{more}")


def _repeated_ids(entries: list[dict], where: str) -> Iterator[Fault]:
    """Equal copies do no harm but to be counted; of entries that differ, nobody can say which one is meant."""
    times = _times(entries)
    if max(times.values(), default=1) == 1:
        return
    left = _times(without_copies(entries))
    for value, count in times.items():
        if count > 1:
            how = "different" if left[value] > 1 else "equal"
            copies = 0 if left[value] > 1 else count - 1
            yield Fault(
                "error", where, f"the id {value} stands {count} times with {how} content; ids are unique", copies=copies
            )


def _repeated_annotations(annotations: list[dict], where: str) -> Iterator[Fault]:
    """Nothing uses their ids, so that they repeat does no harm."""
    kept = without_copies(annotations)
    if copies := len(annotations) - len(kept):
        yield Fault(
            "warning", where, f"{copies} of {len(annotations)} repeat an earlier one, id and all, and are left out"
        )
    repeated = [value for value, count in _times(kept).items() if count > 1]
    if repeated:
        what = f"the id {repeated[0]} stands more than once with different content; all are used, their ids are not"
        yield Fault("warning", where, what, more=len(repeated) - 1)


def _repeated_texts(entries: list[dict], key: str, file: str, what: str) -> Iterator[Fault]:
    times = Counter(str(entry.get(key)) for entry in without_copies(entries))
    repeated = [text for text, count in times.items() if count > 1]
    if repeated:
        first = repeated[0]
        yield Fault("warning", file, f"{times[first]} entries {what.format(short(first))}", more=len(repeated) - 1)


def _times(entries: list[dict]) -> Counter[str]:
    return Counter(str(entry["id"]) for entry in entries if "id" in entry)


def _annotation_faults(content: dict, file: str, with_masks: bool, with_keypoints: bool) -> Iterator[Fault]:
    """Errors one by one, because each may be left out by itself; of each kind of warnings the first."""
    images = {image["id"]: image for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    joints = max((len(keypoint_names(category)) for category in content["categories"]), default=0)
    warnings: dict[str, Fault] = {}
    boxes, sizes = [], []
    for number, annotation in enumerate(content["annotations"]):
        image = images.get(annotation["image_id"])
        where = f"{file}, annotation {annotation.get('id', f'[{number}]')} of image {annotation['image_id']}"
        if annotation["category_id"] not in categories:
            yield Fault("error", where, f"there is no category {annotation['category_id']}", annotation=number)
        if image is None:
            yield Fault("error", where, "there is no image of this id", annotation=number)
            continue
        size = image["width"], image["height"]
        for severity, what, kind in annotation_findings(annotation, *size, joints, with_masks, with_keypoints):
            if severity == "error":
                yield Fault(severity, where, what, annotation=number)
            elif kind in warnings:
                warnings[kind] = warnings[kind]._replace(more=warnings[kind].more + 1)
            else:
                warnings[kind] = Fault(severity, where, what)
        if is_box(annotation.get("bbox")):
            boxes.append(annotation["bbox"])
            sizes.append(size)
    yield from warnings.values()
    for severity, what in box_findings(np.array(boxes, float).reshape(-1, 4), np.array(sizes, float).reshape(-1, 2)):
        yield Fault(severity, file, what)
