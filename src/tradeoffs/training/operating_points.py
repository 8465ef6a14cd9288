"""One pass over the data, scored as if the second stage had looked at fewer proposals, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.trainer.states import TrainerFn

from tradeoffs.structures import Batch
from tradeoffs.training.partial_validation import validates_a_part

Scored = tuple[Any, Any]  # a metric of the task, and its scores


class OperatingPoints(Callback):
    """Scores the detections that the first `counts` proposals give, for each of the counts.

    Proposals are ranked, so a smaller set is the beginning of a larger one, and the network runs once for all (Huang et
    al. 2017, section 4.1.5). The task's `validation_step` returns a dict with the raw `output`; outputs have
    `limited_to(count)`, and `postprocess` is the task's. While a model trains, only its last validation is scored so.
    """

    def __init__(self, counts: Sequence[int]):
        self.counts = list(counts)
        self.scored: dict[int, Scored] = {}  # by the last validation

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        early = trainer.state.fn == TrainerFn.FITTING and trainer.current_epoch + 1 < trainer.max_epochs
        counts = [] if early else self.counts
        self.metrics = {count: pl_module.build_metric(trainer.datamodule) for count in counts}

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int, *_: Any
    ) -> None:
        size = (batch.images.shape[-2], batch.images.shape[-1])
        for count, metric in self.metrics.items():
            pl_module.show(metric, batch, pl_module.postprocess(outputs["output"].limited_to(count), size))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        part = validates_a_part(trainer)
        self.scored = {count: (metric, metric.compute(only_seen=part)) for count, metric in self.metrics.items()}


def rising(counts: int | Sequence[int] | None) -> list[int]:
    """Each of the counts once; none for None."""
    return [] if counts is None else [counts] if isinstance(counts, int) else sorted(set(counts))
