"""Finds every fault of a data set in COCO format before training, at once."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tradeoffs.data.annotation_check import annotation_findings
from tradeoffs.data.annotation_file import read_annotation_file, without_copies
from tradeoffs.data.faults import Fault
from tradeoffs.data.image_check import image_fault
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole

CACHE_VERSION = 1


def check_dataset(images: Path, annotations: Path, cache: bool = True) -> list[Fault]:
    """All faults of a split. A verdict is remembered until the annotation file or the image folder changes.

    Unless it names an image: that one may be mended in its place.
    """
    remembered = _remembered(images, annotations) if cache else None
    if remembered is not None:
        return remembered
    faults = list(_faults(images, annotations))
    if cache and images.is_dir() and not any(fault.image_id is not None for fault in faults):
        _remember(images, annotations, faults)
    return faults


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
        yield from _repeated_ids(content[kind], f"{file}, {kind}")
    occurring = {str(annotation.get("category_id")) for annotation in content["annotations"]}
    absent = [
        str(category.get("name")) for category in content["categories"] if str(category.get("id")) not in occurring
    ]
    if absent:
        count = f"{len(absent)} of {len(content['categories'])} classes"
        yield Fault("warning", file, f"{count} never occur: {', '.join(absent)}")


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


def _times(entries: list[dict]) -> Counter[str]:
    return Counter(str(entry["id"]) for entry in entries if "id" in entry)


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
    def fault(entry: dict) -> tuple[str | None, int]:
        return image_fault(folder / entry["file_name"], entry["width"], entry["height"])

    with ThreadPoolExecutor(16) as pool:
        found = list(tqdm(pool.map(fault, entries), "checking images", len(entries), leave=False, delay=1))
    for entry, (what, _) in zip(entries, found, strict=True):
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
    write_whole(file, json.dumps({"state": _state(images, annotations), "faults": faults}))
