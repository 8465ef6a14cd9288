"""Which image files a path, a folder or a pattern means. Imports no torch, so a wrong one is answered at once."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.names import IMAGE_SUFFIXES
from tradeoffs.errors import UserError

VIDEO_SUFFIXES = frozenset((".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv"))


class ImageFile(NamedTuple):
    """An image, and its name below what was searched: files of one name in two folders stay different."""

    path: Path
    name: Path


def find_images(source: str, besides: Collection[Path] = ()) -> list[ImageFile]:
    """All images that `source` means, in the order of their names; the files in `besides` left out.

    Raises UserError where `source` does not exist or there is no image.
    """
    left_out = {path.resolve() for path in besides}
    found = sorted(set(search_images(source)), key=lambda file: file.name)
    if left_out:
        found = [file for file in found if file.path.resolve() not in left_out]
    if not found:
        raise nothing_found(source)
    return found


def search_images(source: str) -> Iterator[ImageFile]:
    """The image that `source` is, those in the folder that it is and below, or those that it matches as a pattern.

    In a pattern `**` stands for any number of folders. Links are followed. A single file may have any suffix.
    """
    path = Path(source)
    if path.is_file():
        yield ImageFile(path, Path(path.name))
    elif source and path.is_dir():  # nothing at all would be the folder that one happens to be in
        yield from _images(path, walk(path))
    elif has_magic(source):
        folder = _fixed_part(path)
        yield from _images(folder, match(folder, path.relative_to(folder).parts))
    else:
        raise UserError(f"source={source} does not exist; give an image, a folder of images or a pattern like '*.jpg'")


def nothing_found(source: str) -> UserError:
    videos = videos_beside(source)
    remedy = f", but videos; give one of them: source={videos[0]}" if videos else ""
    looked_for = "" if videos else f"; looked for files that end in {', '.join(sorted(IMAGE_SUFFIXES))}"
    return UserError(f"source={source} holds no image{remedy}{looked_for}")


def videos_beside(source: str) -> list[Path]:
    """The videos among what a folder holds or a pattern matches."""
    path = Path(source)
    files = walk(path) if path.is_dir() else match(_fixed_part(path), path.relative_to(_fixed_part(path)).parts)
    return sorted(file for file in files if is_video(file) and file.is_file())


def is_video(path: str | Path) -> bool:
    return Path(path).suffix.lower() in VIDEO_SUFFIXES


def camera_of(source: str | Path | int) -> int | None:
    """The number of a camera, unless a file or a folder has that name."""
    return int(source) if str(source).isdecimal() and not Path(str(source)).exists() else None


def walk(folder: Path) -> Iterator[Path]:
    """What is in a folder and below, folders aside, through links as well.

    No folder is entered twice, so links in a circle end. Links come last: what they share with `folder` itself keeps
    its own name. Folders that may not be read are passed over.
    """
    entered: set[str] = set()
    waiting = deque([folder])
    while waiting:
        for place, folders, files in os.walk(waiting.popleft()):
            if (real := os.path.realpath(place)) in entered:
                folders.clear()
                continue
            entered.add(real)
            folders.sort()
            waiting.extend(path for name in folders if (path := Path(place, name)).is_symlink())
            yield from (Path(place, name) for name in files)


def match(folder: Path, pattern: Sequence[str]) -> Iterator[Path]:
    """What is below `folder` and matches a pattern, given as one string for each level."""
    levels = [level if level == "**" else re.sub(r"\*+", "*", level) for level in pattern]
    start = levels.index("**") if "**" in levels else len(levels)
    before, after = levels[:start], levels[start:]
    places: Iterable[Path] = folder.glob("/".join(before)) if before else [folder]
    if not after:
        yield from places
        return
    for place in places:
        yield from (path for path in walk(place) if _matches(path.relative_to(place).parts, after))


def _matches(names: Sequence[str], levels: Sequence[str]) -> bool:
    if not levels:
        return not names
    if levels[0] == "**":
        return any(_matches(names[skipped:], levels[1:]) for skipped in range(len(names) + 1))
    return bool(names) and fnmatch(names[0], levels[0]) and _matches(names[1:], levels[1:])


def _images(folder: Path, paths: Iterable[Path]) -> Iterator[ImageFile]:
    for path in paths:
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            yield ImageFile(path, path.relative_to(folder))


def _fixed_part(pattern: Path) -> Path:
    """The folder down to which a pattern has no wildcards."""
    return next(folder for folder in pattern.parents if not has_magic(str(folder)))
