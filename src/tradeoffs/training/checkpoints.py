"""When checkpoints are written: `best.ckpt`, and a `last.ckpt` from which training goes on exactly."""

from __future__ import annotations

import math
import signal
import sys
import time
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn

from tradeoffs.training.checkpoint_files import BEST, LAST
from tradeoffs.training.stop_signals import StopSignals

STEPS_BETWEEN_TALKS = 10


class Stopped(SystemExit):
    """Training ended early because a signal asked for it; the exit code says which, as shells expect (130, 143)."""


class Checkpoints(Checkpoint):
    """Writes `best.ckpt` after the best validation, and `last.ckpt` after every epoch and in between.

    Training goes on exactly from `last.ckpt` alone: `best.ckpt` is for predictions, and much smaller.

    `last.ckpt` is only written where the state is complete: after an optimizer step (gradients that are being
    accumulated are in no checkpoint), and not just before a validation (Lightning takes that one for done when it
    resumes). That is why Lightning's ModelCheckpoint, which can write anywhere, is not used.

    After SIGINT or SIGTERM training goes on to the next such place, writes `last.ckpt` and raises `Stopped`. Jobs
    of a queue are asked in other ways (see `StopSignals`).

    Args:
        folder: Where the files go.
        monitor: The logged metric that says how good a validation was; higher is better.
        every_n_steps: Optimizer steps between two `last.ckpt` within an epoch; None for no limit.
        every_n_minutes: Minutes between two `last.ckpt` within an epoch; None for no limit.
    """

    def __init__(
        self,
        folder: Path,
        monitor: str,
        every_n_steps: int | None = None,
        every_n_minutes: float | None = 10.0,
    ):
        self.folder = Path(folder)
        self.monitor = monitor
        self.every_n_steps = every_n_steps
        self.every_n_minutes = every_n_minutes
        self.best_score = -math.inf
        self.best_step: int | None = None  # where this process saw the best validation
        self._signals = StopSignals()
        self._step = 0  # the optimizer step seen last
        self._saved_at = 0.0  # seconds
        self._stopping = False

    def state_dict(self) -> dict[str, Any]:
        return {"best_score": self.best_score}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        # A run that goes on in another folder has its best weights still before it.
        self.best_score = state_dict["best_score"] if (self.folder / BEST).exists() else -math.inf

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._step = trainer.global_step
        self._saved_at = time.monotonic()
        self._signals.listen()
        # Lightning leaves a mid-epoch loader at its beginning if anybody has asked for its length before training, as
        # `estimated_stepping_batches` does. Once restored, there is nothing left to do here.
        trainer.fit_loop._load_combined_loader_states()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        # Not as soon as the checkpoint is written: the metrics of that step are logged only after the hook.
        if self._stopping:
            self._stop(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        stepped = trainer.global_step > self._step
        self._step = trainer.global_step
        if not stepped or trainer.is_last_batch or _validates_next(trainer):
            return
        if self._is_due(trainer):
            self._save_last(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        # The first process decides for all, since saving is something they do together.
        score = trainer.strategy.broadcast(float(trainer.callback_metrics.get(self.monitor, -math.inf)))
        if score > self.best_score:
            self.best_score, self.best_step = score, trainer.global_step
            trainer.save_checkpoint(self.folder / BEST, weights_only=False)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # An epoch that was broken off (max_time) counts as finished for Lightning: a resumed run would skip its rest.
        if trainer.is_last_batch:
            self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._signals.forget()
        if self._stopping:
            self._stop(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._signals.forget()

    def _is_due(self, trainer: Trainer) -> bool:
        step = trainer.global_step
        if step == trainer.max_steps or (self.every_n_steps and step % self.every_n_steps == 0):
            return True
        # Clocks and signals differ between processes, and all save or none. They seldom talk, since a GPU waits for it.
        if trainer.world_size > 1 and step % STEPS_BETWEEN_TALKS:
            return False
        late = bool(self.every_n_minutes) and time.monotonic() - self._saved_at >= 60 * self.every_n_minutes
        return trainer.strategy.reduce_boolean_decision(late or self._signals.wants_checkpoint, all=False)

    def _save_last(self, trainer: Trainer) -> None:
        self._signals.wants_checkpoint = False  # before it is written, for one who asks meanwhile
        trainer.save_checkpoint(self.folder / LAST, weights_only=False)
        self._saved_at = time.monotonic()
        self._stopping = trainer.strategy.reduce_boolean_decision(self._signals.received is not None, all=False)

    def _stop(self, trainer: Trainer) -> None:
        self._signals.requeue()
        if not trainer.is_global_zero:
            raise Stopped(0)  # any other code would make Lightning kill the first process before it has cleaned up
        number = self._signals.received or signal.SIGTERM
        message = f"Stopped by {number.name} after step {trainer.global_step}; resume=auto goes on from"
        print(f"{message} {self.folder / LAST}", file=sys.stderr)
        raise Stopped(128 + number)


def _validates_next(trainer: Trainer) -> bool:
    return trainer.fit_loop.epoch_loop._should_check_val_fx(trainer.fit_loop._data_fetcher)
