"""Which names a run may have, and where anything can be written. Nothing here imports torch."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path, PurePosixPath

from tradeoffs.errors import UserError

LONGEST_PART = 240  # bytes between two slashes: file systems allow 255, and locks add a little
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no names on Windows
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # and what is no UTF-8
MOST_SHOWN = 60  # characters


def check_name(name: object) -> None:
    """Of a run or a sweep. Raises UserError for what is no name of a folder, on any system."""
    if name is None or (isinstance(name, str) and not name.strip("/. \t")):
        raise UserError("name= is empty; give the run a name, or leave it out to have one made from the settings")
    if not isinstance(name, str):
        raise UserError(f"name={shortened(name)} is no name; give one word")
    if ".." in PurePosixPath(name).parts or Path(name).is_absolute():
        raise UserError(
            f"name={shortened(name)} leads out of the folder of runs; give a plain name; another folder is runs=FOLDER"
        )
    for part in PurePosixPath(name).parts:
        if fault := fault_of(part):
            raise UserError(f"name={shortened(name)} is impossible: {fault}")


def fault_of(part: str) -> str | None:
    """Why a word is no name of a folder, or None."""
    if fault := unwritable(part):
        return fault
    if part.startswith(("-", "~", ".")):
        return f"it begins with {part[0]}, which other programs misread"
    if part != part.strip(" ") or part.endswith("."):
        return "it begins or ends with a blank, or ends with a dot"
    if odd := re.search(r'[<>:"|?*\\]', part):
        return f"it has {odd[0]}, which not every system allows in a name"
    return f"{part} is a device on Windows" if DEVICES.fullmatch(part) else None


def unwritable(part: str) -> str | None:
    if CONTROL.search(part):
        return "it has characters that cannot be printed"
    if len(part.encode()) > LONGEST_PART:
        return f"it is longer than {LONGEST_PART} bytes"
    return None


def check_place(key: str, path: object, below: str = "") -> None:
    """Raises UserError where no folder can be made, `below` included, or nothing written into it."""
    if not isinstance(path, str) or not path.strip():
        raise UserError(f"{key}={shortened(path)} is no folder; give the path of one")
    said = f"{key}={shortened(path)}"
    if path.startswith("~"):
        raise UserError(f"{said}: ~ is not read here; give the whole path, as in {key}=$HOME/...")
    for part in Path(path).parts:
        if fault := unwritable(part):
            raise UserError(f"{said} is impossible: {fault}")
    try:
        folder = Path(path).absolute() / below
        place = next(place for place in (folder, *folder.parents) if place.exists())
    except OSError as error:
        what = "the whole path is too long" if error.errno == errno.ENAMETOOLONG else error.strerror
        raise UserError(f"{said} is impossible: {what}; give another folder") from None
    if not place.is_dir():
        raise UserError(f"{said} is impossible: {place} is a file; give a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(f"{said} is impossible: {place} cannot be written; give another folder")


def shortened(value: object) -> str:
    """In one line, with what cannot be printed as escapes."""
    text = str(value)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
