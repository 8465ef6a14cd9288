"""Training and scoring of classifiers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.files import write_whole
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.labels import LabelMetric, LabelScores
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.pictures import draw_label
from tradeoffs.pictures.charts import matrix_chart
from tradeoffs.structures import Batch, Labels
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of


class ClassificationTask(Task):
    """Trains a classifier (`losses`; `forward`, `criterion`, `postprocess`). `options` are those of every task."""

    metric: LabelMetric | None
    scores: LabelScores | None

    def __init__(self, model: nn.Module, headline: str = "top1", **options: Any):
        super().__init__(model, headline, **options)

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
