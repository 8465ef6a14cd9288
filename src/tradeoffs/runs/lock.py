"""One process at a time trains in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from tradeoffs.errors import BusyError

PATIENCE = 10.0  # seconds; the loaders of a run that was killed hold its lock for some moments more


@contextmanager
def sole_owner(folder: Path) -> Iterator[None]:
    """Holds the folder of a run for this process, until it ends in whatever way. Raises BusyError if another does."""
    from pytorch_lightning.utilities import rank_zero_only  # whoever looks at locks alone needs no torch

    if rank_zero_only.rank:  # the first process holds it for all of a run
        yield
        return
    try:
        held = lock_of(folder).acquire(timeout=PATIENCE)
    except Timeout:
        raise BusyError(f"{folder} is being trained by another process; wait for it, or choose another name=") from None
    with held:
        yield


def lock_of(folder: Path) -> FileLock:
    """A file beside the folder, not in it: it must outlive what is cleared there."""
    place = folder.parent / ".locks"
    place.mkdir(parents=True, exist_ok=True)
    return FileLock(place / f"{folder.name}.lock")
