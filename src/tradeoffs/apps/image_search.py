"""Which image files a path, a folder or a pattern means. Imports no torch, so a wrong one is answered at once."""

from __future__ import annotations

from collections.abc import Iterator
from glob import has_magic
from pathlib import Path
from typing import NamedTuple

from tradeoffs.errors import UserError

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))  # in any case


class ImageFile(NamedTuple):
    """An image, and its name below what was searched: files of one name in two folders stay different."""

    path: Path
    name: Path


def find_images(source: str, besides: Path | None = None) -> list[ImageFile]:
    """All images that `source` means, in the order of their names; those below the folder `besides` left out.

    Raises UserError where `source` does not exist or there is no image.
    """
    found = sorted(set(search_images(source)), key=lambda file: file.name)
    if besides is not None:
        found = [file for file in found if not file.path.resolve().is_relative_to(besides.resolve())]
    if not found:
        raise nothing_found(source)
    return found


def search_images(source: str) -> Iterator[ImageFile]:
    """The image that `source` is, those in the folder that it is and below, or those that it matches as a pattern.

    In a pattern `**` stands for any number of folders. A single file may have any suffix.
    """
    path = Path(source)
    if path.is_file():
        yield ImageFile(path, Path(path.name))
    elif path.is_dir():
        yield from _images(path, path.rglob("*"))
    elif has_magic(source):
        folder = _fixed_part(path)
        yield from _images(folder, folder.glob(str(path.relative_to(folder))))
    else:
        raise UserError(f"source={source} does not exist; give an image, a folder of images or a pattern like '*.jpg'")


def nothing_found(source: str) -> UserError:
    return UserError(f"source={source} holds no image; looked for files that end in {', '.join(sorted(SUFFIXES))}")


def _images(folder: Path, paths: Iterator[Path]) -> Iterator[ImageFile]:
    for path in paths:
        if path.suffix.lower() in SUFFIXES and path.is_file():
            yield ImageFile(path, path.relative_to(folder))


def _fixed_part(pattern: Path) -> Path:
    """The folder down to which a pattern has no wildcards."""
    return next(folder for folder in pattern.parents if not has_magic(str(folder)))
