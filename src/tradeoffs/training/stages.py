"""What follows the descent: parts of a training without gradients, each of which is kept when it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer

from tradeoffs.progress_bar import Steps
from tradeoffs.structures import Batch
from tradeoffs.training.checkpoint_files import BEST, SafeCheckpointIO

Stage = Callable[[Iterable[Batch]], None]
DONE = "stages"  # in a checkpoint: what is known of the stages up to there


class PlainBatches:
    """The training split as it is, on the model's device; each iteration goes through it once, and shows how far."""

    def __init__(self, data: LightningDataModule, device: torch.device, what: str):
        self.loader, self.device, self.what = data.plain_train_dataloader(), device, what
        self.steps = Steps()

    def __iter__(self) -> Iterator[Batch]:
        self.steps.begin(self.what, len(self.loader))
        for batch in self.loader:
            yield batch.to(self.device)
            self.steps.step()
        self.steps.end()


def fit_stages(
    trainer: Trainer, task: LightningModule, data: LightningDataModule, folder: Path
) -> list[dict[str, Any]]:
    """Goes through the task's stages, from the weights in `best.ckpt` on, which are those of the last one afterwards.

    A stage that is done has a checkpoint in `folder`, so a kill costs no more than the one at work. One process fits,
    the others wait. Returns of each stage its `name`, its `seconds`, and the `score` that the weights had `before`.
    """
    files, latest = SafeCheckpointIO(), folder / BEST
    for name, fit in task.stages().items():
        path = folder / f"{name}.ckpt"
        if not trainer.strategy.broadcast(path.exists()):
            content = files.load_checkpoint(latest)
            task.load_state_dict(content["state_dict"])
            trainer.validate(task, datamodule=data, verbose=False)
            about = {"name": name, "before": task.scores.summary[task.headline]}
            if trainer.is_global_zero:
                about["seconds"] = run(fit, task, PlainBatches(data, trainer.strategy.root_device, name))
                content |= {"state_dict": task.state_dict(), DONE: [*content.get(DONE, []), about]}
                files.save_checkpoint(content, path)
            trainer.strategy.barrier()
        latest = path
    content = files.load_checkpoint(latest)
    if trainer.is_global_zero and latest.name != BEST:
        files.save_checkpoint(content, folder / BEST)
    trainer.strategy.barrier()
    return content.get(DONE, [])


def run(fit: Stage, task: LightningModule, batches: PlainBatches) -> float:
    """Seconds that it took."""
    began = time.monotonic()
    torch.manual_seed(task.seed)
    model = task.model.to(batches.device).eval()
    with torch.no_grad():
        fit(batches)
    model.to("cpu")
    return time.monotonic() - began


def drop_stages(task: LightningModule, folder: Path) -> None:
    """Of a training that is over: the last one's weights lie in `best.ckpt`."""
    for name in task.stages():
        (folder / f"{name}.ckpt").unlink(missing_ok=True)
