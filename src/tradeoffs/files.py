"""Files that are written whole or not at all, and are still there after a power cut."""

from __future__ import annotations

import os
from pathlib import Path

CONF = Path(__file__).resolve().parents[2] / "conf"


def write_whole(path: Path, content: str | bytes | memoryview) -> None:
    """Replaces the file; text is written in UTF-8. A crash or a full disk leaves the earlier one as it was."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_through(unfinished, content.encode() if isinstance(content, str) else content)
        unfinished.replace(path)
        sync_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write_through(path: Path, content: bytes | memoryview) -> None:
    """Returns only when the content is on the disk, not in a cache that a power cut would empty."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes a renaming in it durable, where the system can (Windows cannot open folders)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
