"""What is remembered beside an annotation file, and by what a changed photo is told."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from tradeoffs.files import write_whole

AT_ONCE = 1000  # photos that one thread asks the file system for
ABSENT = (-1, -1, -1)


def file_stamps(folder: Path, names: Sequence[str]) -> Int64[ndarray, "N 3"]:
    """Bytes, time of the content and time of the entry of each file below `folder`; -1 where there is none.

    Copying may keep the time of the content, but never that of the entry.
    """

    def stamps(start: int) -> list[tuple[int, int, int]]:
        return [_stamp(os.path.join(folder, name)) for name in names[start : start + AT_ONCE]]  # noqa: PTH118

    with ThreadPoolExecutor(16) as pool:  # a file server answers many at once
        parts = list(pool.map(stamps, range(0, len(names), AT_ONCE)))
    return np.array([stamp for part in parts for stamp in part], np.int64).reshape(-1, 3)


def keep(annotations: Path, suffix: str, content: Any) -> None:
    """Nothing is written where the annotation file lies in a folder without write permission, not even by root."""
    file, folder = _place(annotations, suffix), annotations.parent
    if folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK):
        with suppress(OSError):  # a full disk, or a folder that is another user's: it is found out again next time
            file.parent.mkdir(exist_ok=True)
            write_whole(file, json.dumps(content))


def kept(annotations: Path, suffix: str) -> Any:
    """What `keep` was given. Raises OSError or ValueError where there is nothing, or it is damaged."""
    return json.loads(_place(annotations, suffix).read_bytes())


def _place(annotations: Path, suffix: str) -> Path:
    return annotations.parent / ".checked" / f"{annotations.name}{suffix}"


def _stamp(path: str) -> tuple[int, int, int]:
    try:
        file = os.stat(path)  # noqa: PTH116 (a Path takes as long again)
    except (OSError, ValueError):  # ValueError: a name that can be no file's
        return ABSENT
    return file.st_size, file.st_mtime_ns, file.st_ctime_ns
