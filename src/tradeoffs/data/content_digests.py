"""Photos by what is in their files: a digest of each, remembered beside the annotation file until the photo changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tradeoffs.data.kept_files import file_stamps, keep, kept
from tradeoffs.errors import UserError

SUFFIX = ".photos"  # of what is kept beside the verdict of the check
DIGITS = 32

Known = dict[str, list]  # name -> bytes, both times, digest


def content_digests(images: Path, names: Sequence[str], annotations: Path) -> list[str]:
    """Of the files `names` below `images`, in hexadecimal digits. Those that have not changed are not read again.

    Raises UserError naming a file that cannot be read.
    """
    known = _remembered(images, annotations)
    stamps = dict(zip(names, file_stamps(images, names).tolist(), strict=True))  # before the files are read
    new = [name for name, stamp in stamps.items() if known.get(name, [])[:3] != stamp]
    if new:
        with ThreadPoolExecutor(16) as pool:
            digests = pool.map(lambda name: _digest(images / name), new)
            for name, digest in zip(new, tqdm(digests, "reading photos", len(new), leave=False, delay=1), strict=True):
                known[name] = [*stamps[name], digest]
        keep(annotations, SUFFIX, {"images": str(images.resolve()), "photos": known})
    return [known[name][3] for name in names]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error


def _remembered(images: Path, annotations: Path) -> Known:
    """Nothing for photos in another folder, and where what was kept is damaged."""
    try:
        content = kept(annotations, SUFFIX)
        same = content["images"] == str(images.resolve())
        return {name: each for name, each in content["photos"].items() if len(each) == 4} if same else {}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
