"""An exponential moving average of the weights, used wherever the model is judged."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

TRAINING_WEIGHTS = "training_weights"


class WeightAverage(Callback):
    """Keeps the average and puts it into the model for validation, in checkpoints, and at the end of training.

    The decay is warmed up, `min(decay, (1 + t) / (10 + t))` after `t` optimizer steps, so a short run is not dominated
    by its random beginning. Floating-point buffers (the statistics of batch norm) are averaged as well, others copied.
    A checkpoint's `state_dict` is the average; the weights that training goes on with are its `training_weights`.

    Lightning's WeightAveraging has no such warm-up under a fixed decay, copies the task with all its data, and makes
    a GPU wait twice in every step.
    """

    def __init__(self, decay: float = 0.9998):
        self.decay = decay
        self._average: list[Tensor] = []
        self._step = 0
        self._swapped = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        weights = _weights(pl_module)
        if not self._average:  # nothing was loaded from a checkpoint
            self._average = [weight.detach().clone() for weight in weights]
        self._average = [old.to(new.device) for old, new in zip(self._average, weights, strict=True)]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = trainer.global_step

    @torch.no_grad()
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        if trainer.global_step == self._step:  # gradients are being accumulated
            return
        self._step = trainer.global_step
        pairs = list(zip(self._average, _weights(pl_module), strict=True))
        fractional = [(old, new) for old, new in pairs if old.is_floating_point()]
        averages, news = zip(*fractional, strict=True)
        torch._foreach_lerp_(averages, news, 1 - decay_at(self._step, self.decay))
        for old, new in pairs:
            if not old.is_floating_point():
                old.copy_(new)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._swap(pl_module)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._swap(pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self._swapped:
            self._swap(pl_module)

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """From here on the model is the average, for whatever is done with it; also if nothing was left to train."""
        self._swap(pl_module)
        self._average = []

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if not self._average:
            return
        checkpoint[TRAINING_WEIGHTS] = _copies(checkpoint["state_dict"])
        self._swap(pl_module)
        checkpoint["state_dict"] = _copies(pl_module.state_dict())
        self._swap(pl_module)

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Lightning has just loaded `state_dict`, the average, into the task."""
        self._average = [weight.detach().clone() for weight in _weights(pl_module)]
        pl_module.load_state_dict(checkpoint.get(TRAINING_WEIGHTS, checkpoint["state_dict"]))

    @torch.no_grad()
    def _swap(self, pl_module: LightningModule) -> None:
        """Exchanges weights and average; in place, since the optimizer and compiled graphs hold on to the weights."""
        if not self._average:  # validating outside of training, where the model already is the average
            return
        for average, weight in zip(self._average, _weights(pl_module), strict=True):
            former = weight.detach().clone()
            weight.copy_(average)
            average.copy_(former)
        self._swapped = not self._swapped


def decay_at(step: int, decay: float) -> float:
    """The share of the old average that is kept after optimizer step `step`, counted from 1."""
    return min(decay, (1 + step) / (10 + step))


def _weights(module: torch.nn.Module) -> list[Tensor]:
    """Parameters and buffers, each once even where two layers share it."""
    return [*module.parameters(), *module.buffers()]


def _copies(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in state.items()}
