"""What a run finds in its folder: a checkpoint to go on from, or what an earlier one left, which has to go."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from tradeoffs.errors import UserError
from tradeoffs.metrics.evidence import KINDS
from tradeoffs.results.record import record_or_none
from tradeoffs.runs.data_hashes import Hashes, require_same_data, save_hashes
from tradeoffs.runs.folder import save_config
from tradeoffs.runs.identity import different_settings
from tradeoffs.training.checkpoint_files import LAST, SafeCheckpointIO, find_checkpoint, has_training_state
from tradeoffs.training.loggers import WANDB_ID

# What an earlier run may have left in the folder, besides what is written anew at once.
LEFTOVERS = (
    *("checkpoints", "pictures", "tensorboard", "evaluations", "predictions"),
    *("predictions.json", *KINDS, "confusion.json", "result.json", "nonfinite_*.pt", WANDB_ID),
)


def checkpoint_to_resume(config: DictConfig, folder: Path) -> Path | None:
    """As `resume` says. Refuses to go on with another run's checkpoint under the same name."""
    if config.resume not in ("auto", "never"):
        say_if_inexact(checkpoint := Path(config.resume))
        return checkpoint
    if config.resume == "never" or (config.overwrite and (folder / "result.json").exists()):
        return None
    checkpoint = find_checkpoint(folder / "checkpoints")
    if checkpoint is None or not (folder / "config.yaml").is_file():  # no run of ours: `leftovers` says so
        return None
    require_same_settings(config, folder, "an unfinished", "resume=never")
    for line in require_same_data(config, folder, "an unfinished", "resume=never"):
        rank_zero_only(print)(line)
    rank_zero_only(print)(f"going on from {checkpoint}")
    return checkpoint


@rank_zero_only
def say_if_inexact(path: Path) -> None:
    content = SafeCheckpointIO().load_checkpoint(path)
    if isinstance(content, dict) and not content.get("lr_schedulers"):
        raise UserError(f"{path} was scored without training (epochs=0), so none goes on from it; begin one anew")
    if isinstance(content, dict) and not has_training_state(content):
        print(f"{path} holds weights alone: training goes on from them with a new state of the optimizer")


def require_same_settings(config: DictConfig, folder: Path, which: str, remedy: str) -> None:
    before = OmegaConf.load(folder / "config.yaml")
    if changes := different_settings(before, config):
        if config.epochs > before.epochs > 0:
            last = shlex.quote(f"resume={folder / 'checkpoints' / LAST}")
            changes += (f"to train it further give {last} with another name=",)
        raise UserError(f"{folder} holds {which} run with other settings; choose another name=, or {remedy}", changes)


def leftovers(config: DictConfig, folder: Path) -> list[Path]:
    """What an earlier run left in its folder. Refuses to clear what is no run, or one that nobody gave up."""
    if rank_zero_only.rank:  # by now the first process has begun to write
        return []
    found = [path for pattern in LEFTOVERS for path in folder.glob(pattern)]
    if found and not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} holds {found[0].name} and is no run; choose another name= or runs=")
    if found and config.resume not in ("auto", "never") and not config.overwrite:
        raise UserError(f"{folder} holds another run than that of resume=; choose another name=, or overwrite=true")
    return found


def unfinished_record(folder: Path) -> list[Path]:
    """Of an earlier try that failed or was stopped, if that is what the folder holds."""
    path = folder / "result.json"
    record = record_or_none(path)  # the new one will replace a damaged one
    return [path] if record and record.status != "finished" else []


@rank_zero_only
def prepare_folder(config: DictConfig, folder: Path, old: Sequence[Path], hashes: Hashes) -> None:
    """The resolved config and which data they are in it, and no longer what is `old`."""
    for path in old:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    save_config(config, folder)
    save_hashes(folder, hashes)


@contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """If the run is refused, Hydra's empty folder for it goes again."""
    try:
        yield
    except UserError:
        with suppress(OSError):  # it is not empty, or not there
            folder.rmdir()
        raise
