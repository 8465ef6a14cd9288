"""One pass over the data, scored as if the model had been run at smaller operating points, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from tradeoffs.structures import Batch
from tradeoffs.training.partial_validation import validates_a_part

Scored = tuple[Any, Any]  # a metric of the task, and its scores


class OperatingPoints(Callback):
    """Scores what the model's raw outputs, `limited_to(value)`, become in the task's `postprocess`, for each value.

    Proposals, say, are ranked, so a smaller set is the beginning of a larger one, and the network runs once for all
    (Huang et al. 2017, section 4.1.5). The task's `validation_step` returns a dict with the raw `output`. While a model
    trains, only its last validation is scored so.
    """

    def __init__(self, values: Sequence[int]):
        self.values = list(values)
        self.scored: dict[int, Scored] = {}  # by the last validation

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        early = trainer.state.fn == TrainerFn.FITTING and trainer.current_epoch + 1 < trainer.max_epochs
        values = [] if early else self.values
        self.metrics = {value: pl_module.build_metric(trainer.datamodule) for value in values}

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, *_: Any
    ) -> None:
        size = (batch.images.shape[-2], batch.images.shape[-1])
        for value, metric in self.metrics.items():
            pl_module.show(metric, batch, pl_module.postprocess(outputs["output"].limited_to(value), size))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        part = validates_a_part(trainer)
        self.scored = {value: (metric, metric.compute(only_seen=part)) for value, metric in self.metrics.items()}


def rising(values: int | Sequence[int] | None) -> list[int]:
    """Each of the values once; none for None."""
    return [] if values is None else [values] if isinstance(values, int) else sorted(set(values))
