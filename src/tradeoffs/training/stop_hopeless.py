"""A run that has fallen far behind others ends early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import mean, median

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn
from torch import Tensor, nn

from tradeoffs.structures import Batch
from tradeoffs.training.checkpoints import Checkpoints

ENOUGH_RUNS = 5  # to compare with
WARM_UP = 0.25  # of the epochs, in which a late starter is left alone

Curve = dict[int, float]  # epoch, from 0 -> score of the validation after it


class StopHopeless(Callback):
    """Applies the median stopping rule (Golovin et al. 2017, Google Vizier) after each validation but the last.

    Args:
        curves: Gives the curves of the runs to compare with, for the model and one image of the validation split.
        checkpoints: Knows the best score so far, which a resumed run has from before.
    """

    def __init__(self, curves: Callable[[nn.Module, Tensor], Sequence[Curve]], checkpoints: Checkpoints):
        self.curves, self.checkpoints = curves, checkpoints
        self.reason: str | None = None  # why the run was stopped
        self._image: Tensor | None = None

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if batch_idx == 0:
            self._image = batch.images[:1]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.sanity_checking or trainer.state.fn != TrainerFn.FITTING:
            return
        done, total = trainer.current_epoch + 1, trainer.max_epochs
        if not WARM_UP * total < done < total:
            return
        if trainer.is_global_zero:
            score = float(trainer.callback_metrics[self.checkpoints.monitor])
            best = max(score, self.checkpoints.best_score)  # which may not know of this one yet
            self.reason = verdict(
                self.checkpoints.monitor.removeprefix("val/"), best, done, self.curves(pl_module.model, self._image)
            )
        self.reason = trainer.strategy.broadcast(self.reason)
        trainer.should_stop = trainer.should_stop or self.reason is not None


def verdict(name: str, best_score: float, epochs: int, curves: Sequence[Curve]) -> str | None:
    """Why to stop a run whose best score of that name is this after so many epochs; None to let it go on.

    It must reach what half of the others had on average over their validations up to there.
    """
    earlier = [[score for epoch, score in curve.items() if epoch < epochs] for curve in curves]
    averages = [mean(scores) for scores in earlier if scores]
    if len(averages) < ENOUGH_RUNS or best_score >= (bar := median(averages)):
        return None
    return (
        f"{name} {best_score:.3f} after {epochs} epochs; {len(averages)} runs that cost no more "
        f"had {bar:.3f} on average by then; stop_hopeless=false goes on"
    )
