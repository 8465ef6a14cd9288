"""From YOLO's text files, one beside each photo or in a folder `labels` beside `images`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import Photo, read_sizes
from tradeoffs.data.convert.reading import Reading
from tradeoffs.data.convert.yolo_labels import mark, numbers_in
from tradeoffs.data.convert.yolo_layout import NAME_LISTS, read_layout
from tradeoffs.errors import UserError

# Text files beside photos that label none of them.
OTHER_TEXTS = {Path(name).stem for name in NAME_LISTS} | {
    "train",
    "val",
    "valid",
    "test",
    "notes",
    "README.roboflow",
    "README.dataset",
}


def read_yolo(source: Path, findings: Findings, exif: Exif = "upright") -> Reading:
    """Of the layouts of `read_layout`. Numbers are parts of the upright photo: Ultralytics follows EXIF first."""
    layout = read_layout(source, findings)
    paths = list(dict.fromkeys(path for part in layout.splits.values() for path in part))
    if not paths:
        raise UserError(f"{source} has no photos", tuple(findings.lines()))
    labels = _label_files(paths, source, findings)
    names = layout.names or _numbers_as_names(labels.values(), findings)
    photos = {}
    for path, size in read_sizes(paths, findings).items():
        photos[path] = Photo(path, size)
        settle(photos[path], None, source, exif, findings)
        if path in labels:
            mark(photos[path], labels[path], names, layout.keypoints, findings)
    splits = {split: [photos[path] for path in part if path in photos] for split, part in layout.splits.items()}
    return Reading(list(names.values()), splits)


def _label_files(paths: list[Path], source: Path, findings: Findings) -> dict[Path, Path]:
    """Photo -> its text file, for those that have one."""
    folders_of, stems_in = cache(_label_folders), cache(_texts)
    found, users = {}, defaultdict(list)
    for path in paths:
        folder = next((folder for folder in folders_of(path.parent) if path.stem in stems_in(folder)), None)
        if folder is None:
            findings.note("photos without a label file, taken for photos without objects", path.name)
        else:
            found[path] = folder / f"{path.stem}.txt"
            users[found[path]].append(path.name)
    if not found:
        raise UserError(f"{source} has no label file (PHOTO.txt) for any of {len(paths)} photos")
    for file, names in users.items():
        if len(names) > 1:
            findings.fault(f"{file} may belong to {' or '.join(names)}; rename one of them")
    _tell_unused(found, findings)
    return found


def _tell_unused(labels: dict[Path, Path], findings: Findings) -> None:
    stems = defaultdict(set)  # label folder -> stems of the files in its photos' folders, also of those in no split
    for folder, place in {(path.parent, file.parent) for path, file in labels.items()}:
        stems[place] |= {path.stem for path in folder.iterdir() if path.suffix != ".txt"}
    for place, known in stems.items():
        for stem in sorted(_texts(place) - known - OTHER_TEXTS):
            findings.note("label files without a photo, left out", f"{stem}.txt")


def _label_folders(images: Path) -> list[Path]:
    """Where the labels of a folder of photos may be, the likeliest first."""
    parts = images.parts
    places = [images, images.parent / "labels" / images.name, images.parent.parent / "labels" / images.name]
    places += [images.parent / "labels", images / "labels"]
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        places.insert(0, Path(*parts[:last], "labels", *parts[last + 1 :]))
    return [place for place in dict.fromkeys(places) if place.is_dir()]


def _texts(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in folder.glob("*.txt") if not path.name.startswith("."))


def _numbers_as_names(files: Iterable[Path], findings: Findings) -> dict[int, str]:
    findings.note("there are no names of classes (data.yaml, classes.txt); classes are called by their numbers")
    return {number: f"class_{number}" for number in sorted(set().union(*map(numbers_in, files)))}
