"""The verdict of a check, kept beside the annotation file until anything that it depends on changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from tradeoffs.data.faults import Fault
from tradeoffs.data.kept_files import file_stamps, keep, kept

VERSION = 4  # raised when the check says something else

State = list[str | int | bool]


def state_of(images: Path, annotations: Path, names: Sequence[str], asked: Sequence[bool]) -> State:
    """Changes with the annotation file, with any of the files `names` below `images`, and with what was `asked` for."""
    file = annotations.stat()
    photos = hashlib.sha256(file_stamps(images, names).tobytes()).hexdigest()
    return [VERSION, *asked, str(images.resolve()), file.st_size, file.st_mtime_ns, file.st_ctime_ns, photos]


def remembered(images: Path, annotations: Path, asked: Sequence[bool]) -> list[Fault] | None:
    try:
        verdict = kept(annotations, "")
        same = verdict["state"] == state_of(images, annotations, verdict["names"], asked)
        return [Fault(*fault) for fault in verdict["faults"]] if same else None
    except (OSError, ValueError, KeyError, TypeError):  # none, of an earlier version, or damaged
        return None


def remember(annotations: Path, state: State, names: Sequence[str], faults: Sequence[Fault]) -> None:
    keep(annotations, "", {"state": state, "names": names, "faults": faults})
