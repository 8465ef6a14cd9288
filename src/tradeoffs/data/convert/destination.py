"""The folder that a converter writes: never that of another data set, unless it is told to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from tradeoffs.errors import UserError


def require_free(dest: Path, images: Path, overwrite: bool, copy: bool) -> None:
    """Raises UserError where `dest` holds a data set, unless that one has the same `images` or may be overwritten.

    Images that were copied there, or always were there, are not overwritten by a link either.
    """
    target = dest / "images"
    if dest.exists() and not dest.is_dir():
        raise UserError(f"{dest} is a file; give the folder to write")
    if target.exists() and not target.is_symlink() and target.samefile(images):
        raise UserError(f"{target} is what is to be converted; give another folder to write")
    held = [*sorted((dest / "annotations").glob("*.json")), *([target] if target.exists() else [])]
    if held and not overwrite and not _is_link_to(target, images):
        names = ", ".join(str(path.relative_to(dest)) for path in held)
        raise UserError(f"{dest} holds a data set ({names}); give another folder, or --overwrite to replace it")
    if target.exists() and not target.is_symlink() and not copy:
        raise UserError(f"{target} exists and is no link; remove it, or copy the images with --copy")


def place_images(images: Path, names: Iterable[str], dest: Path, copy: bool) -> None:
    """Makes `dest/images` a symbolic link to `images`, which costs no disk, or a folder with copies of `names`.

    Annotation files of another data set, which `require_free` has let pass, are removed with their images' link.
    """
    target = dest / "images"
    if not _is_link_to(target, images):
        for file in (dest / "annotations").glob("*.json"):
            file.unlink()
    if target.is_symlink():
        target.unlink()
    dest.mkdir(parents=True, exist_ok=True)
    if copy:
        _copy(images, names, target)
    else:
        target.symlink_to(images.resolve(), target_is_directory=True)


def _copy(images: Path, names: Iterable[str], target: Path) -> None:
    """All or nothing: Ctrl-C or a full disk leaves no half of them."""
    unfinished = target.with_name(".images.unfinished")
    try:
        for name in names:
            (unfinished / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(images / name, unfinished / name)
        if target.exists():
            shutil.copytree(unfinished, target, dirs_exist_ok=True)
        else:
            unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _is_link_to(target: Path, images: Path) -> bool:
    return target.is_symlink() and target.resolve() == images.resolve()
