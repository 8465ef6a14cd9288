"""Images with their labels, as the folders that they are in say it, or a list."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.labels.class_names import meanings
from tradeoffs.data.labels.image_names import ImageNames
from tradeoffs.data.labels.lists import Corners, read_corners, read_entries
from tradeoffs.data.names import normal

Box = list[int]  # left, top, width, height in pixels


class Labelled(NamedTuple):
    """An image, and what is seen in it."""

    name: str  # of the file, from the data set's folder on
    label: str
    box: Box | None = None  # None for the whole image


def read_source(
    source: Path,
    root: Path,
    images: Sequence[str],
    folders: Collection[str],
    known: Sequence[str] | None,
    findings: Findings,
) -> list[Labelled]:
    """What `source`, a folder of classes or a list, says of the `images` below `root`.

    A list may leave out one of `folders` before its names. Its labels are those `known`, or their places among them;
    anything where none are known. Raises UserError for a list with a line that means no image, several, or no class.
    """
    if source.is_dir():
        return _of_folders(source, root, images, findings)
    return _of_list(source, ImageNames(images), folders, known, findings)


def _of_folders(source: Path, root: Path, images: Sequence[str], findings: Findings) -> list[Labelled]:
    """In deeper folders, too. Boxes are those that Tiny ImageNet's files beside the images have."""
    start = "" if source == root else f"{source.name}/"
    parts = [(name, *name.removeprefix(start).partition("/")) for name in images if name.startswith(start)]
    corners = _corners(source, {folder for _, folder, slash, _ in parts if slash})
    found = []
    for name, folder, slash, inside in parts:
        if slash:
            box = corners.get((folder, inside.rpartition("/")[2]))
            found.append(Labelled(name, normal(folder), _box(name, box, findings)))
        else:
            findings.note("images that are in no folder of a class, left out", name)
    return found


def _corners(source: Path, folders: Collection[str]) -> dict[tuple[str, str], Corners]:
    """Of the class's folder and the image's name."""
    faults, found = Findings(), {}
    for folder in folders:
        if (file := source / folder / f"{folder}_boxes.txt").is_file():
            found |= {(folder, name): box for _, name, box in read_corners(file, faults)}
    faults.require_none()
    return found


def _box(name: str, corners: Corners | None, findings: Findings) -> Box | None:
    """The last pixels belong to it. One whose corners are in a line is what downsizing left of an object."""
    if corners is None:
        return None
    left, top, right, bottom = corners
    if right <= left or bottom <= top:
        findings.note("boxes without area, for which the whole image is taken", name)
        return None
    return [left, top, right - left + 1, bottom - top + 1]


def _of_list(
    file: Path, images: ImageNames, folders: Collection[str], known: Sequence[str] | None, findings: Findings
) -> list[Labelled]:
    faults = Findings()
    found: dict[str, Labelled] = {}
    classes = meanings(known or ())
    for where, text, label, corners in read_entries(file):
        names = images.find(text, folders)
        meant = normal(label) if known is None else classes.get(normal(label))
        if len(names) != 1:
            what = f"may be {' or '.join(names[:3])}; name it with its folder and suffix" if names else "is not there"
            faults.fault(f"{where}: the image {text} {what}")
        elif meant is None:
            few = f"{known[0]}, ..., {known[-1]}, or their places, 0 to {len(known) - 1}"
            faults.fault(f"{where}: there is no class {label}; there are {few}")
        elif found.setdefault(names[0], Labelled(names[0], meant, _box(names[0], corners, findings))).label != meant:
            faults.fault(
                f"{where}: {names[0]} is {meant} here and {found[names[0]].label} before; an image has one label"
            )
    faults.require_none()
    return list(found.values())
