"""Training and scoring of classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn.functional import one_hot

from tradeoffs.files import write_whole
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.labels import LabelMetric, LabelScores
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.ops.mixing import mix
from tradeoffs.pictures import draw_label
from tradeoffs.pictures.charts import matrix_chart
from tradeoffs.structures import Batch, Labels
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of


class ClassificationTask(Task):
    """Trains a classifier (`losses`; `forward`, `criterion`, `postprocess`). `options` are those of every task.

    `mixup` and `cutmix` are parameters of beta distributions, see `ops.mixing`; 0 for none. After `mix_until` of the
    training images are whole, as they will be when the model is used.
    """

    metric: LabelMetric | None
    scores: LabelScores | None

    def __init__(
        self,
        model: nn.Module,
        headline: str = "top1",
        mixup: float = 0.0,
        cutmix: float = 0.0,
        mix_until: float = 0.9,
        **options: Any,
    ):
        super().__init__(model, headline, **options)
        self.mixup, self.cutmix, self.mix_until = mixup, cutmix, mix_until

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        super().on_train_batch_start(batch, batch_idx)
        if self.mixes and self.global_step < self.mix_until * self.trainer.estimated_stepping_batches:
            weights = one_hot(batch.targets.label, self.trainer.datamodule.num_classes).float()
            batch.images, batch.targets.label_weights = mix(batch.images, weights, self.mixup, self.cutmix)

    @property
    def mixes(self) -> bool:
        return self.mixup > 0 or self.cutmix > 0

    def build_metric(self, data: Any) -> LabelMetric:
        return LabelMetric(data.class_names, data.category_ids)

    def show(self, metric: LabelMetric, batch: Batch, predictions: Labels) -> None:
        metric.update(batch.image_ids, predictions, batch.targets.label)

    def draw(self, kept: Sequence[tuple[Batch, Labels]], side: int) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        names = self.trainer.datamodule.class_names
        drawn = [
            draw_label(
                photo_of(batch, row, side)[0],
                names[int(found.labels[row, 0])],
                float(found.scores[row, 0]),
                names[int(batch.targets.label[row])],
            )
            for batch, found in kept
            for row in range(len(batch))
        ]
        return drawn, "the most probable class; where it is wrong the truth, too, dashed"

    def report(self, folder: Path, evidence: Ratios | None, only_seen: bool) -> dict[str, Any]:
        """The confusion matrix, as numbers and as a picture."""
        matrix = self.metric.confusion()
        if matrix is not None:
            confusion = Confusion(None, self.metric.class_names, matrix)
            confusion.save(folder / "confusion.json")
            drawn = matrix_chart("The most probable class", confusion.rows, confusion.columns, np.array(matrix))
            (folder / "pictures").mkdir(exist_ok=True)
            write_whole(folder / "pictures/confusion.svg", drawn)
        return {}
