"""How fast training is, how long it will be, and its learning rate, among the logged metrics."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class Throughput(Callback):
    """Logs `images_per_second`, the mean of the last `window` steps over all processes.

    And `learning_rate`, and `planned_steps`, which the whole training will have.

    A step lasts from the end of the one before, so waiting for data counts; validation does not. Nor does what a
    killed run did after its last checkpoint, in the `seconds` of the whole training.
    """

    def __init__(self, window: int = 50):
        self.seconds = 0.0  # of training with its validations, up to the last checkpoint or the end
        self._began = 0.0
        self._steps: deque[tuple[float, int]] = deque(maxlen=window)  # seconds, images
        self._since = 0.0
        self._learning_rate = 0.0
        self._planned_steps = 0.0

    def state_dict(self) -> dict[str, Any]:
        self._count_seconds()
        return {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds = state_dict["seconds"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._steps.clear()
        self._planned_steps = float(trainer.estimated_stepping_batches)
        self._began = time.monotonic()
        self._since = time.perf_counter()  # no epoch starts where training goes on in the middle of one

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._since = time.perf_counter()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        # The schedulers have moved on by the end of the step.
        self._learning_rate = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        self._steps.append((now - self._since, len(batch)))
        self._since = now
        seconds, images = map(sum, zip(*self._steps, strict=True))
        pl_module.log("images_per_second", torch.tensor(images * trainer.world_size / seconds))
        pl_module.log("learning_rate", torch.tensor(self._learning_rate))
        pl_module.log("planned_steps", torch.tensor(self._planned_steps))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._count_seconds()

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.seconds += now - self._began
        self._began = now
