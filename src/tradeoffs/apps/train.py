"""What `train.py` does: build from the config, fit, score the best weights, time them, write the record."""

from __future__ import annotations

import os
import shutil
import time
import warnings
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from tradeoffs.apps.build import build_data, build_task
from tradeoffs.apps.report import Outcome, report, show
from tradeoffs.apps.run_folder import different_settings
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record
from tradeoffs.training.checkpoint_files import LAST, SafeCheckpointIO, find_checkpoint
from tradeoffs.training.checkpoints import BEST, Checkpoints
from tradeoffs.training.ema import WeightAverage
from tradeoffs.training.loggers import finish, log_table
from tradeoffs.training.metrics_csv import MetricsCSV
from tradeoffs.training.nonfinite import NonFiniteLoss
from tradeoffs.training.pictures import PredictionPictures
from tradeoffs.training.progress import Progress
from tradeoffs.training.throughput import Throughput


def train(config: DictConfig) -> float:
    """Trains in the run's folder, or goes on there; returns the mAP of the best weights."""
    quieten()
    folder = Path(config.runs) / config.name
    if (folder / "result.json").exists() and not config.overwrite:
        print(f"{folder} is finished already; overwrite=true trains it anew")
        return show(read_record(folder / "result.json"), folder)
    checkpoint = checkpoint_to_resume(config, folder)
    data = build_data(config)
    task = build_task(config, data.num_classes)
    prepare_folder(config, folder, fresh=checkpoint is None)
    loggers = build_loggers(config, folder, resume=checkpoint is not None)
    trainer = build_trainer(config, folder, loggers)
    began = time.monotonic()
    trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    seconds = time.monotonic() - began
    restore_best(task, folder)
    trainer.validate(task, datamodule=data, verbose=False)
    score = report(config, folder, task, data, training_facts(trainer, seconds))
    log_table(loggers, "per_class", task.scores.per_class)
    finish(loggers)
    return score


def checkpoint_to_resume(config: DictConfig, folder: Path) -> Path | None:
    """As `resume` says. Refuses to go on with another run's checkpoint under the same name."""
    if config.resume == "never" or (config.overwrite and (folder / "result.json").exists()):
        return None
    if config.resume != "auto":
        return Path(config.resume)
    checkpoint = find_checkpoint(folder / "checkpoints")
    if checkpoint is None:
        return None
    if changes := different_settings(OmegaConf.load(folder / "config.yaml"), config):
        raise UserError(
            f"{folder} holds an unfinished run with other settings; choose another name=, or resume=never", changes
        )
    print(f"going on from {checkpoint}")
    return checkpoint


@rank_zero_only
def prepare_folder(config: DictConfig, folder: Path, fresh: bool) -> None:
    """The resolved config in it, and nothing left of an earlier run unless that is gone on with."""
    if fresh:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        shutil.rmtree(folder / "pictures", ignore_errors=True)
        (folder / "result.json").unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(config, resolve=True))


def build_loggers(config: DictConfig, folder: Path, resume: bool) -> list[Logger]:
    """metrics.csv always; others as chosen."""
    loggers: list[Logger] = [MetricsCSV(folder, resume=resume)]
    for name, choice in (config.get("logger") or {}).items():
        make = instantiate(choice)
        extra = {"config": OmegaConf.to_container(config, resolve=True)} if name == "wandb" else {}
        loggers.append(make(folder=folder, **extra))
    return loggers


def build_callbacks(config: DictConfig, folder: Path) -> list[Callback]:
    """In the order in which they act."""
    return [
        NonFiniteLoss(folder),
        Throughput(),
        Progress(),
        *([WeightAverage(config.ema)] if config.ema else []),
        PredictionPictures(folder),
        Checkpoints(folder / "checkpoints", every_n_minutes=config.checkpoint_minutes),
    ]


def build_trainer(config: DictConfig, folder: Path, loggers: list[Logger]) -> Trainer:
    return instantiate(
        config.trainer,
        max_epochs=config.epochs,
        default_root_dir=folder,
        callbacks=build_callbacks(config, folder),
        logger=loggers,
        plugins=[SafeCheckpointIO()],
        use_distributed_sampler=False,  # the data module shards
        num_sanity_val_steps=0,
        enable_model_summary=False,
        log_every_n_steps=10,
        _convert_="all",
    )


def restore_best(task: LightningModule, folder: Path) -> None:
    """The weights that scored best; the last ones where no validation was reached."""
    files = (folder / "checkpoints" / name for name in (BEST, LAST))
    path = next((path for path in files if path.exists()), None)
    if path is not None:
        task.load_state_dict(SafeCheckpointIO().load_checkpoint(path)["state_dict"])


def training_facts(trainer: Trainer, seconds: float) -> Outcome:
    speed = trainer.callback_metrics.get("images_per_second")
    return {
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
        "seconds": seconds,  # of this session; a resumed run's earlier ones are in its metrics.csv
        "images_per_second": None if speed is None else float(speed),
        "processes": trainer.world_size,
        "precision": str(trainer.precision),
    }


def quieten() -> None:
    """Leaves out Lightning's tips and hardware lines; what matters is printed by us."""
    import logging

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
