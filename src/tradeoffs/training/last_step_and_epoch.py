"""What ends is seen: the last step of each epoch is logged, and the last epoch validated."""

from __future__ import annotations

from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer


class LastStepAndEpoch(Callback):
    """Whatever `log_every_n_steps` and `check_val_every_n_epoch` say.

    Lightning asks both only after a batch, so for the batches in question they are 1.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._log_every_n_steps = trainer.log_every_n_steps

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        trainer.log_every_n_steps = 1 if trainer.is_last_batch else self._log_every_n_steps
        if trainer.current_epoch + 1 == trainer.max_epochs:
            trainer.check_val_every_n_epoch = 1
