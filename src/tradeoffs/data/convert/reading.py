"""From what a reader found in a folder to a data set in COCO format: splits, classes, files."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath

from tradeoffs.data.convert.destination import place_images, require_free
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.partition import partition
from tradeoffs.data.convert.photos import Photo, common_folder, equal_photos
from tradeoffs.data.convert.split import Picture, Summary, write_split
from tradeoffs.errors import UserError

SHARE, SEED = 0.2, 0  # of the photos for validation, where the source has no split for it

# Roboflow writes several altered copies of one photo: photo_jpg.rf.0123abcd.jpg
ROBOFLOW = re.compile(r"\.rf\.\w+\.\w+$")
ROBOFLOW_GROUP = r"^(.*?)(?:\.rf\.\w+)?\.\w+$"

SPLITS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}
SPLIT_OF_WORD = {word: split for split, words in SPLITS.items() for word in words}


@dataclass
class Reading:
    """What a reader found. Photos of which the source tells no split are in the split `""`."""

    class_names: list[str]  # in the order of their ids
    splits: dict[str, list[Photo]] = field(default_factory=lambda: defaultdict(list))
    joints: dict[str, dict] = field(default_factory=dict)  # class -> `keypoints` and `skeleton` of its category
    as_given: bool = False  # splits that were asked for one by one: none is added


def convert(
    read: Callable[..., Reading],
    source: Path,
    dest: Path,
    val: float | None = None,
    seed: int = SEED,
    group: str | None = None,
    copy: bool = False,
    overwrite: bool = False,
    **options,
) -> list[str | Summary]:
    """Writes `dest/annotations/SPLIT.json` and `dest/images`; returns what is to be told, a line each.

    What the source holds, `read(source, findings, **options)` says. Where it has no split for validation, the share
    `val` of its training photos becomes one by chance; see `partition` for `seed` and `group`. Raises UserError,
    before anything is written, for a source that cannot be read, and where `dest` holds another data set, unless
    `overwrite` lets it be replaced.
    """
    if not source.exists():
        raise UserError(f"{source} is not there; give the folder that holds the data set to convert")
    folder = source if source.is_dir() else source.parent
    if dest.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{dest} lies in {folder}, where nothing is changed; give a folder outside of it")
    findings = Findings()
    found = read(source, findings, **options)
    findings.require_none()
    _require_boxes(found, folder, findings)
    splits = found.splits if found.as_given else _complete(found.splits, folder, val, seed, group, findings)
    _tell_equal_photos(splits, findings)
    root = common_folder(photo.path for part in splits.values() for photo in part)
    require_free(dest, root, overwrite, copy)
    pictures = {name: [picture_of(photo, root) for photo in part] for name, part in splits.items()}
    folder = dest / "annotations"
    earlier = {file: file.read_bytes() for file in folder.glob("*.json")}
    place_images(root, [picture.file_name for part in pictures.values() for picture in part], dest, copy)
    if not found.as_given:  # files of an earlier conversion, whose splits may have been others
        for file in folder.glob("*.json"):
            file.unlink()
    summaries = [
        write_split(pictures[name], found.class_names, folder / f"{name}.json", found.joints) for name in pictures
    ]
    if any(not file.exists() or file.read_bytes() != content for file, content in earlier.items()):
        findings.note(f"{dest} held other annotations before; results on those do not compare with new ones")
    return [*findings.lines(), *summaries]


def split_of(path: PurePath) -> str:
    """train, val or test, where the file's name or that of a folder it is in says so; otherwise nothing."""
    for part in (path.stem, *reversed(path.parts[:-1])):
        words = {SPLIT_OF_WORD[word] for word in re.findall("[a-z]+", part.lower()) if word in SPLIT_OF_WORD}
        if len(words) == 1:
            return words.pop()
    return ""


def _require_boxes(found: Reading, folder: Path, findings: Findings) -> None:
    photos = [photo for part in found.splits.values() for photo in part]
    boxes = [thing["bbox"] for photo in photos for thing in photo.objects]
    if photos and not boxes:
        lines = (line for photo in photos for line in photo.without_area)
        first = [f"left out without area: {line}" for line in islice(lines, 1)]
        raise UserError(f"{folder} has no object with a sound box", (*findings.lines(), *first))
    if boxes and all(left + width <= 1 and top + height <= 1 for left, top, width, height in boxes):
        raise UserError(
            f"{folder}: all boxes lie between 0 and 1; they must be given in pixels, not as parts of the photo"
        )


def _complete(
    given: dict[str, list[Photo]], folder: Path, val: float | None, seed: int, group: str | None, findings: Findings
) -> dict[str, list[Photo]]:
    """The splits with one for training and one for validation."""
    training = [*given.get("train", ()), *given.get("", ())]
    if not training:
        raise UserError(f"{folder} has no photos for training: {_counts(given)}", tuple(findings.lines()))
    splits = {"train": training} | {name: given[name] for name in ("val", "test") if given.get(name)}
    if "val" in splits:
        if val is not None and not _same(training, splits["val"]):
            raise UserError(f"{folder} has a split for validation, of {len(given['val'])} photos; leave out --val")
        if val is None:
            if given.get(""):
                findings.note(f"photos of no split, taken for training: {len(given[''])}")
            return splits
    names = {os.path.relpath(photo.path, folder).replace(os.sep, "/"): photo for photo in training}
    if group is None and any(map(ROBOFLOW.search, names)):
        group = ROBOFLOW_GROUP
        findings.note("Roboflow's copies of one photo (.rf.) stay in one split")
    share = SHARE if val is None else val
    parts = partition(names, share, seed, group)
    findings.note(f"split by chance, seed {seed}: {len(parts[0])} photos for training, {len(parts[1])} for validation")
    train, val_part = ([names[name] for name in part] for part in parts)
    return splits | {"train": train, "val": val_part}


def _counts(given: dict[str, list[Photo]]) -> str:
    return ", ".join(f"{len(part)} in {name}" for name, part in given.items()) or "none at all"


def _same(one: list[Photo], other: list[Photo]) -> bool:
    return {photo.path.resolve() for photo in one} == {photo.path.resolve() for photo in other}


def _tell_equal_photos(splits: dict[str, list[Photo]], findings: Findings) -> None:
    """A photo that was trained on scores too well."""
    paths = {name: [photo.path for photo in part] for name, part in splits.items()}
    for one, other, path, twin in equal_photos(paths):
        names = path.name if path == twin else f"{path.name} and {twin.name}"
        findings.note(f"photos that are in {one} and in {other}, so that scores are too good", names)


def picture_of(photo: Photo, root: Path) -> Picture:
    """Named by its path from `root`."""
    name = photo.path.relative_to(root).as_posix()
    return Picture(name, photo.size.width, photo.size.height, photo.objects, photo.without_area)
