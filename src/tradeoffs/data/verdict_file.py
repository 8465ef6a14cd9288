"""The verdict of a check, kept beside the annotation file until anything that it depends on changes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tradeoffs.data.faults import Fault
from tradeoffs.files import write_whole

VERSION = 2
CHUNK = 1000  # files that a thread looks at in one go

State = list[str | int | bool]


def state_of(images: Path, annotations: Path, names: Sequence[str], asked: Sequence[bool]) -> State:
    """Changes with the annotation file, with any of the files `names` below `images`, and with what was `asked` for."""
    file = annotations.stat()
    return [VERSION, *asked, str(images.resolve()), file.st_size, file.st_mtime_ns, _digest(images, names)]


def remembered(images: Path, annotations: Path, asked: Sequence[bool]) -> list[Fault] | None:
    try:
        verdict = json.loads(_place(annotations).read_bytes())
        same = verdict["state"] == state_of(images, annotations, verdict["names"], asked)
        return [Fault(*fault) for fault in verdict["faults"]] if same else None
    except (OSError, ValueError, KeyError, TypeError):  # none, of an earlier version, or damaged
        return None


def remember(annotations: Path, state: State, names: Sequence[str], faults: Sequence[Fault]) -> None:
    """Nothing is written where the annotation file lies in a folder without write permission, not even by root."""
    file = _place(annotations)
    if not file.parent.parent.stat().st_mode & 0o222 or not os.access(file.parent.parent, os.W_OK):
        return
    file.parent.mkdir(exist_ok=True)
    write_whole(file, json.dumps({"state": state, "names": names, "faults": faults}))


def _place(annotations: Path) -> Path:
    return annotations.parent / ".checked" / annotations.name


def _digest(folder: Path, names: Sequence[str]) -> str:
    """Of size and times of all files. Copying may keep the time of the content, so that of the entry counts too."""

    def stamps(part: Sequence[str]) -> list[tuple[int, int, int]]:
        return [_stamp(f"{folder}/{name}") for name in part]

    parts = [names[start : start + CHUNK] for start in range(0, len(names), CHUNK)]
    with ThreadPoolExecutor(16) as pool:
        found = [stamp for part in pool.map(stamps, parts) for stamp in part]
    return hashlib.sha256(np.array(found, np.int64).tobytes()).hexdigest()


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        file = os.stat(path)  # noqa: PTH116 (a Path takes as long again)
    except OSError:
        return -1, -1, -1
    return file.st_size, file.st_mtime_ns, file.st_ctime_ns
