"""Lightning's Trainer as training and evaluation use it."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from tradeoffs.errors import UserError
from tradeoffs.settings.hydra_errors import one_line
from tradeoffs.training.checkpoint_files import SafeCheckpointIO

TIPS = (
    "does not have many workers",
    "isinstance.treespec, LeafSpec",
    "logging interval",
    "`srun` command",
    "in eval mode at the start of",
)


def build_trainer(config: DictConfig, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    """Raises UserError for what this machine does not have."""
    require_devices(config.trainer.accelerator, config.trainer.devices)
    try:
        return _trainer(config, folder, callbacks, loggers)
    except InstantiationException as error:
        if isinstance(error.__cause__, MisconfigurationException | ModuleNotFoundError | ValueError):
            raise UserError(f"trainer cannot be set up so: {one_line(error.__cause__)}") from None
        raise


def require_devices(accelerator: str, devices: int | str) -> None:
    """Raises UserError where there are fewer devices than are asked for."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if accelerator in ("gpu", "cuda") and not count and not (accelerator == "gpu" and mps_is_there()):
        raise UserError(f"trainer.accelerator={accelerator}, but there is no such GPU here; give auto or cpu")
    if not isinstance(devices, int) or accelerator not in ("auto", "cpu", "gpu", "cuda"):
        return
    if accelerator == "cpu" or not (count or mps_is_there()):
        if devices == -1:
            raise UserError("trainer.devices=-1 means all GPUs, and the run is on the CPU; give a number of processes")
        cores = max(2, cores_here())
        if devices > cores:  # two processes are let through anywhere, to try how it is with several
            raise UserError(
                f"trainer.devices={devices}, but without GPUs there are {cores} cores; give {cores} or less"
            )
    elif count and devices > count:
        raise UserError(f"trainer.devices={devices}, but the GPUs here are {count}; give {count} or less")


def cores_here() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def mps_is_there() -> bool:
    return torch.backends.mps.is_available()


def _trainer(config: DictConfig, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    return instantiate(
        config.trainer,
        max_epochs=config.epochs,
        default_root_dir=folder,
        callbacks=callbacks,
        logger=loggers,
        plugins=[SafeCheckpointIO()],
        use_distributed_sampler=False,  # the data module shards
        num_sanity_val_steps=0,
        enable_model_summary=False,
        _convert_="all",
    )


def quieten() -> None:
    """Leaves out Lightning's tips and hardware lines; what matters is printed by us."""
    for name in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for tip in TIPS:
        warnings.filterwarnings("ignore", f".*{tip}.*")
    if rank_zero_only.rank:  # the first process says it already
        logging.getLogger("tradeoffs").setLevel(logging.ERROR)
