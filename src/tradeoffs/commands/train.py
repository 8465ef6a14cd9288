"""What `train.py` does: build from the config, fit, score the best weights, time them, write the record."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, LightningDataModule, LightningModule, Trainer
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only
from torch import nn

from tradeoffs.commands.report import Outcome, compare, report, report_points, show
from tradeoffs.commands.trainer import build_trainer, quieten, require_devices
from tradeoffs.errors import UserError
from tradeoffs.model_facts import operating_point_of
from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.record import read_record
from tradeoffs.runs.build import build_data, build_task
from tradeoffs.runs.comparable import ComparableRuns
from tradeoffs.runs.data_hashes import Hashes, require_same_data, save_hashes, unchanged
from tradeoffs.runs.folder import finished_record, unscored_points
from tradeoffs.runs.lock import sole_owner
from tradeoffs.runs.resume import (
    checkpoint_to_resume,
    leftovers,
    nothing_left,
    prepare_folder,
    require_same_settings,
    unfinished_record,
)
from tradeoffs.runs.weights import require_fitting, start_from_published
from tradeoffs.training.checkpoint_files import BEST, LAST, SafeCheckpointIO, drop_training_state
from tradeoffs.training.checkpoints import Checkpoints
from tradeoffs.training.ema import WeightAverage
from tradeoffs.training.last_step_and_epoch import LastStepAndEpoch
from tradeoffs.training.loggers import finish, log_summary, log_table, require_packages
from tradeoffs.training.metrics_csv import MetricsCSV
from tradeoffs.training.nonfinite import NonFiniteLoss
from tradeoffs.training.operating_points import OperatingPoints, rising
from tradeoffs.training.pictures import PredictionPictures
from tradeoffs.training.progress import Progress
from tradeoffs.training.stages import drop_stages, fit_stages
from tradeoffs.training.stop_hopeless import StopHopeless
from tradeoffs.training.throughput import Throughput

Kind = TypeVar("Kind", bound=Callback)
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows knows no SIGKILL


def train(config: DictConfig) -> float:
    """Trains in the run's folder, or goes on there; returns the headline score of the best weights."""
    quieten()
    require_devices(config.trainer.accelerator, config.trainer.devices)
    folder = Path(config.runs) / config.name
    with sole_owner(folder):
        record = None if config.overwrite else finished_record(config)
        if record is None:
            return train_in(folder, config)
        require_same_settings(config, folder, "a finished", "overwrite=true")
        about_data = require_same_data(config, folder, "a finished", "overwrite=true")
        print(f"{folder} is finished already; overwrite=true trains it anew", *about_data, sep="\n")
        if remedy := unscored_points(config):
            print(f"it was not scored with operating_points={config.operating_points}: {remedy}")
        return show(record, folder)


def train_in(folder: Path, config: DictConfig) -> float:
    with nothing_left(folder):
        checkpoint = checkpoint_to_resume(config, folder)
        data = build_data(config)
        task = build_task(config, data.num_classes, data.class_names)
        if not config.epochs and (said := about_weights_as_they_are(config, task.model, checkpoint)):
            rank_zero_only(print)(said)
        if checkpoint is not None:
            require_fitting(checkpoint, task.model)
        elif config.get("weights"):
            rank_zero_only(print)(start_from_published(config, task.model, data.class_names))
        trainer = build_trainer(config, folder, build_callbacks(config, folder, data.hashes), loggers=[])
        require_packages(config.get("logger") or {})
        resumes = checkpoint is not None and checkpoint.resolve().is_relative_to(folder.resolve())
        old = unfinished_record(folder) if resumes else leftovers(config, folder)
    prepare_folder(config, folder, old, data.hashes)
    trainer.loggers = loggers = build_loggers(config, folder, resumes)
    with ending_together(trainer, loggers):
        if config.epochs:
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
        facts, stopped = training_facts(trainer, data), stopped_because(trainer)
        staged = task.stages() and not stopped
        if staged:
            facts |= stage_facts(trainer, task, data, folder, facts)
        score_best(trainer, task, data, folder, unless_known=not staged)
        if not config.epochs:
            trainer.save_checkpoint(folder / "checkpoints" / BEST, weights_only=True)
        data.hashes, lines = unchanged(config, data.hashes)
        rank_zero_only(save_hashes)(folder, data.hashes)
        for line in lines:
            rank_zero_only(print)(line)
        log_table(loggers, "per_class", task.scores.per_class)
        if (points := callback_of(trainer, OperatingPoints).scored) and not stopped:
            report_points(config, folder / "evaluations", task, data, points)
        score = report(config, folder, task, data, facts, stopped)
        if points and not stopped:
            compare([folder])
        log_record(loggers, folder)
        if not (stopped or config.keep_last):
            rank_zero_only(drop_training_state)(folder / "checkpoints")
            rank_zero_only(drop_stages)(task, folder / "checkpoints")
        return score


def about_weights_as_they_are(config: DictConfig, model: nn.Module, checkpoint: Path | None) -> str:
    """What to know of a score without training. Raises UserError where it would say nothing, or of other weights."""
    if checkpoint is not None:
        raise UserError(f"epochs=0 trains nothing, so nothing goes on from {checkpoint}; leave it out, or give epochs=")
    if not getattr(model, "knows_classes", False):
        why = getattr(model, "note", "") or "these do not know the data's classes"
        raise UserError(f"epochs=0 scores weights as they are, but {why}; give epochs=, or weights=timm")
    side = model.backbone.made_for or config.image_size
    return f"timm scores these weights at {side} px; image_size={side} does" if side != config.image_size else ""


@rank_zero_only
def log_record(loggers: Sequence[Logger], folder: Path) -> None:
    record = read_record(folder / "result.json")
    log_summary(loggers, {name: column.read(record) for name, column in COLUMNS.items()})


def build_loggers(config: DictConfig, folder: Path, resume: bool) -> list[Logger]:
    """metrics.csv always; others as chosen."""
    loggers: list[Logger] = [MetricsCSV(folder, resume=resume)]
    for name, choice in (config.get("logger") or {}).items():
        make = instantiate(choice)
        extra = {"config": OmegaConf.to_container(config, resolve=True)} if name == "wandb" else {}
        loggers.append(make(folder=folder, **extra))
    return loggers


def build_callbacks(config: DictConfig, folder: Path, hashes: Hashes) -> list[Callback]:
    """In the order in which they act."""
    monitor = f"val/{config.task.headline}"
    checkpoints = Checkpoints(folder / "checkpoints", monitor, every_n_minutes=config.checkpoint_minutes)
    return [
        NonFiniteLoss(folder),
        LastStepAndEpoch(),
        Throughput(),
        Progress(monitor, final="validation of the best weights"),
        *([WeightAverage(config.ema)] if config.ema else []),
        PredictionPictures(folder),
        OperatingPoints(rising(config.operating_points) if operating_point_of(config.model) else []),
        *([StopHopeless(ComparableRuns(config, hashes).curves, checkpoints)] if config.stop_hopeless is True else []),
        checkpoints,
    ]


def score_best(
    trainer: Trainer, task: LightningModule, data: LightningDataModule, folder: Path, unless_known: bool
) -> None:
    """Validates the best weights; `unless_known`, not if they are the last ones and training ended with that."""
    if unless_known and callback_of(trainer, Checkpoints).best_step == trainer.global_step:
        keep_as_best(folder / "pictures")
        return
    choose_best(folder / "checkpoints")
    trainer.strategy.barrier()  # the others read what the first process has chosen
    restore_best(task, folder)
    trainer.loggers = []  # curves end where training does
    trainer.validate(task, datamodule=data, verbose=False)


@rank_zero_only
def keep_as_best(pictures: Path) -> None:
    latest = max(pictures.glob("epoch_*.jpg"), key=lambda path: path.stat().st_mtime)
    shutil.copyfile(latest, pictures / "best.jpg")


@rank_zero_only
def choose_best(checkpoints: Path) -> None:
    """Without a validation in training, the last weights are the best ones that are known."""
    if not (checkpoints / BEST).exists() and (checkpoints / LAST).exists():
        files = SafeCheckpointIO()
        files.save_checkpoint(files.load_checkpoint(checkpoints / LAST), checkpoints / BEST)


def restore_best(task: LightningModule, folder: Path) -> None:
    """The weights that scored best, if any were kept."""
    if (path := folder / "checkpoints" / BEST).exists():
        task.load_state_dict(SafeCheckpointIO().load_checkpoint(path)["state_dict"])


@contextmanager
def ending_together(trainer: Trainer, loggers: Sequence[Logger]) -> Iterator[None]:
    """Leaves nothing open: neither loggers, into which the next job of a sweep would write, nor waiting processes."""
    try:
        yield
    except BaseException:
        finish(loggers, exit_code=1)
        if trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(KILL)  # of those that the first process has started
        raise
    finish(loggers)


def stopped_because(trainer: Trainer) -> str | None:
    """None for a training that went on to its end."""
    return next((callback.reason for callback in trainer.callbacks if isinstance(callback, StopHopeless)), None)


def training_facts(trainer: Trainer, data: LightningDataModule) -> Outcome:
    """Of a training that has just ended; Lightning forgets its metrics when it validates."""
    speed = trainer.callback_metrics.get("images_per_second")
    return {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "batch_size": data.batch_size,
        "seconds": callback_of(trainer, Throughput).seconds,
        "images_per_second": None if speed is None else float(speed),
        "processes": trainer.world_size,
        "precision": str(trainer.precision),
    }


def stage_facts(
    trainer: Trainer, task: LightningModule, data: LightningDataModule, folder: Path, descent: Outcome
) -> Outcome:
    """Of a training whose stages have followed its descent, with the seconds of all together."""
    choose_best(folder / "checkpoints")
    trainer.strategy.barrier()
    trainer.loggers = []  # curves end where the descent does
    stages = fit_stages(trainer, task, data, folder / "checkpoints")
    seconds = descent["seconds"] + sum(stage["seconds"] for stage in stages)
    return {"stages": [{"name": "descent", "seconds": descent["seconds"]}, *stages], "seconds": seconds}


def callback_of(trainer: Trainer, kind: type[Kind]) -> Kind:
    return next(callback for callback in trainer.callbacks if isinstance(callback, kind))
