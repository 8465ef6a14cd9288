"""Checkpoint files that survive a crash, a kill and a full disk, and are read without running code."""

from __future__ import annotations

import errno
import io
import logging
import pickle
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import CheckpointIO

from tradeoffs.errors import UserError
from tradeoffs.files import sync_folder, write_through
from tradeoffs.training.ema import TRAINING_WEIGHTS

log = logging.getLogger(__name__)

BEST = "best.ckpt"
LAST = "last.ckpt"
PREVIOUS = "last-previous.ckpt"


class SafeCheckpointIO(CheckpointIO):
    """Writes a checkpoint beside its place and moves it there when it is whole: a file of that name is never a part.

    The former `last.ckpt` stays as `last-previous.ckpt`, so at any moment at least one of the two is whole.
    `best.ckpt` is written `without_training_state`.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Raises UserError when the disk is full; what was there before is untouched."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Pickled in memory first: torch's zip writer turns a full disk into a RuntimeError that could mean anything.
        buffer = io.BytesIO()
        torch.save(without_training_state(checkpoint) if path.name == BEST else checkpoint, buffer)
        partial = path.with_name(path.name + ".partial")
        try:
            write_through(partial, buffer.getbuffer())
        except OSError as error:
            partial.unlink(missing_ok=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise UserError(_full_disk_message(path, len(buffer.getbuffer()))) from error
            raise
        if path.name == LAST and path.exists():
            path.replace(path.with_name(PREVIOUS))
        partial.replace(path)
        sync_folder(path.parent)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = "cpu", weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Reads tensors and plain values; `weights_only` is always on, whatever Lightning asks for.

        Raises UserError when the file is missing, damaged, or holds anything that would run code.
        """
        try:
            return torch.load(path, map_location=map_location, weights_only=True)
        except FileNotFoundError as error:
            raise UserError(f"no checkpoint at {path}") from error
        except pickle.UnpicklingError as error:
            if not is_whole(path):
                raise UserError(f"{path} is cut off or no checkpoint; choose another one") from error
            raise UserError(f"{path} holds more than tensors and plain values, so it is not loaded") from error
        except (RuntimeError, EOFError, OSError) as error:  # of a short file torch asks to seek before its beginning
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise
            raise UserError(f"{path} is cut off or damaged; choose another one") from error

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


def without_training_state(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """A checkpoint of a quarter of the size: less the moments of the optimizer, and weights other than those scored.

    Training can go on from it, at its epoch and learning rate, but not exactly.
    """
    optimizers = [{**state, "state": {}} for state in checkpoint.get("optimizer_states", [])]
    kept = {key: value for key, value in checkpoint.items() if key != TRAINING_WEIGHTS}
    return {**kept, "optimizer_states": optimizers}


def has_training_state(checkpoint: dict[str, Any]) -> bool:
    """Whether training goes on from it exactly."""
    return TRAINING_WEIGHTS in checkpoint or any(state["state"] for state in checkpoint.get("optimizer_states", []))


def drop_training_state(folder: Path) -> None:
    """Of a training that is over. The best weights, if they are the last ones, lie there once."""
    (folder / PREVIOUS).unlink(missing_ok=True)
    files, last, best = SafeCheckpointIO(), folder / LAST, folder / BEST
    if not last.exists() or not has_training_state(content := files.load_checkpoint(last)):
        return
    files.save_checkpoint(without_training_state(content), last)
    (folder / PREVIOUS).unlink()
    if best.exists() and _same_weights(files.load_checkpoint(best), content):
        _link(last, best)


def _same_weights(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Of equal steps they differ where something was learnt after the descent."""
    pairs = ((tensor, other["state_dict"][name]) for name, tensor in one["state_dict"].items())
    return one["global_step"] == other["global_step"] and all(torch.equal(*pair) for pair in pairs)


def _link(path: Path, to: Path) -> None:
    """Makes `to` another name of the file. None is ever written in place, so neither changes with the other."""
    partial = to.with_name(to.name + ".partial")
    with suppress(OSError):  # not every file system has links
        partial.unlink(missing_ok=True)
        partial.hardlink_to(path)
        partial.replace(to)


def find_checkpoint(folder: Path) -> Path | None:
    """The newest whole one of `last.ckpt` and `last-previous.ckpt`; None where there is neither.

    Both are read in full and their checksums verified. Warns when `last.ckpt` is damaged and the previous one is
    taken; raises UserError when nothing whole is left, because starting afresh would overwrite what might be saved.
    """
    present = [path for path in (folder / LAST, folder / PREVIOUS) if path.exists()]
    whole = next((path for path in present if is_whole(path)), None)
    if present and whole is None:
        names = " and ".join(path.name for path in present)
        raise UserError(f"{names} in {folder} cannot be read; delete or move the folder to start from the beginning")
    if present and whole != present[0]:
        log.warning("%s is cut off or damaged; going on from %s", present[0], whole)
    return whole


def is_whole(path: str | Path) -> bool:
    """Whether every part of the zip archive that a checkpoint is can be read and has the checksum it should have."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, EOFError, zipfile.BadZipFile):
        return False


def _full_disk_message(path: Path, size: int) -> str:
    survivor = next((p for p in (path, path.with_name(LAST), path.with_name(PREVIOUS)) if p.exists()), None)
    kept = f"{survivor} is whole" if survivor else "there is no earlier checkpoint"
    return f"no space for {path} ({size / 1e6:.0f} MB); {kept}: free space and run again with resume=auto"
