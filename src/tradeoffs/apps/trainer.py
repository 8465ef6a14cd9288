"""Lightning's Trainer as training and evaluation use it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from tradeoffs.training.checkpoint_files import SafeCheckpointIO

TIPS = ("does not have many workers", "isinstance.treespec, LeafSpec", "logging interval")


def build_trainer(config: DictConfig, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
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
