"""Mirrors of a run outside its folder: Weights & Biases and TensorBoard, and what is sent there besides metrics."""

from __future__ import annotations

import importlib.util
import netrc
import os
import shlex
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from pytorch_lightning.loggers import TensorBoardLogger, WandbLogger
from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from tradeoffs.errors import UserError

WANDB_ID = "wandb_id.txt"


def wandb_logger(
    folder: Path,
    project: str = "tradeoffs",
    name: str | None = None,
    group: str | None = None,
    config: Mapping[str, Any] | None = None,
) -> WandbLogger:
    """Weights & Biases, online where an API key is known and offline otherwise (`wandb sync` uploads it later).

    It never asks for a key. `WANDB_MODE` overrules the choice. The run's id is kept in the run folder, so a resumed
    run goes on in the same place.

    Args:
        folder: The run folder; offline data goes to its `wandb` folder.
        project, name, group: As W&B shows them; by default those of the folder and of the one around it.
        config: The resolved config.
    """
    import wandb

    settings = wandb.Settings(console="off", silent=True)  # the progress bar's lines are no log
    # Not WandbLogger(offline=True): that sets WANDB_MODE for every later run of this process.
    mode = os.environ.get("WANDB_MODE") or ("online" if _has_wandb_key() else "offline")
    if mode == "offline":
        why = "as WANDB_MODE says" if os.environ.get("WANDB_MODE") else "since no API key is known (wandb login)"
        rank_zero_only(print)(f"Weights & Biases: offline, {why}; how to send the run later is said at its end")
    return WandbLogger(
        save_dir=folder,
        id=_wandb_id(Path(folder)),
        project=project,
        name=name or Path(folder).name,
        group=group or Path(folder).resolve().parent.name,
        config=dict(config or {}),
        mode=mode,
        settings=settings,
    )


def tensorboard_logger(folder: Path) -> TensorBoardLogger:
    """TensorBoard's event files in the run folder's `tensorboard`."""
    return TensorBoardLogger(save_dir=folder, name="", version="tensorboard")


def require_packages(names: Iterable[str]) -> None:
    """Raises UserError where a logger, which is called like its package, cannot work."""
    for name in names:
        if name in ("wandb", "tensorboard") and importlib.util.find_spec(name) is None:
            raise UserError(f"logger={name} needs a package that is not installed: pip install {name}")


def log_table(loggers: Sequence[Logger], key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Show a table, say the scores per class, where a logger can: W&B."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and rows:
            logger.log_table(key, columns=list(rows[0]), data=[list(row.values()) for row in rows])


def log_summary(loggers: Sequence[Logger], values: Mapping[str, Any]) -> None:
    """What a run is and what came out, for the tables and scatter plots of W&B, which show a run's summary."""
    known = {key: value for key, value in values.items() if value is not None}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(known)


def log_picture(loggers: Sequence[Logger], key: str, path: Path, step: int) -> None:
    """Show a picture where a logger can: W&B and TensorBoard."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_image(key, [str(path)], step=step)
        elif isinstance(logger, TensorBoardLogger):
            _tensorboard_picture(logger, key, path, step)


def finish(loggers: Sequence[Logger], exit_code: int = 0) -> None:
    """Close W&B's run; without this the next run of the same process would be written into it."""
    for logger in loggers:
        if isinstance(logger, WandbLogger) and logger._experiment is not None:
            hint = how_to_send(logger)
            logger.experiment.finish(exit_code=exit_code)
            if hint:
                rank_zero_only(print)(hint)


def how_to_send(logger: WandbLogger) -> str | None:
    """The command that uploads a run that was offline, once it is closed."""
    run = logger.experiment
    if run.settings.mode not in ("offline", "dryrun"):
        return None
    folder = shlex.quote(str(Path(run.settings.sync_dir)))
    return f"Weights & Biases was offline; to send the run later: wandb login, then wandb sync {folder}"


@rank_zero_only
def _tensorboard_picture(logger: TensorBoardLogger, key: str, path: Path, step: int) -> None:
    import numpy as np
    from PIL import Image

    logger.experiment.add_image(key, np.asarray(Image.open(path)), step, dataformats="HWC")


def _has_wandb_key() -> bool:
    """An API key in the environment, or a login in ~/.netrc as `wandb login` leaves it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, netrc.NetrcParseError):
        return False


def _wandb_id(folder: Path) -> str:
    path = folder / WANDB_ID
    if not path.exists() and rank_zero_only.rank == 0:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(uuid.uuid4().hex[:8] + "\n")
    return path.read_text().strip() if path.exists() else ""
