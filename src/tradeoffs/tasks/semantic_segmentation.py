"""Training and scoring of networks that give each pixel a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.data.segmentation import background_of
from tradeoffs.files import write_whole
from tradeoffs.metrics.class_pixels import ClassPixels
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.segmentation import SegmentationMetric, SegmentationScores
from tradeoffs.pictures import draw_label_map
from tradeoffs.pictures.charts import matrix_chart
from tradeoffs.structures import Batch, LabelMaps
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of


class SemanticSegmentationTask(Task):
    """Trains a segmentation network (`losses`; `forward`, `criterion`, `postprocess`), with every task's `options`.

    Label maps are scored at the size of the original images. `count_background` says whether the class called
    background, if there is one, is one of those over which means go: Pascal VOC's mean IoU counts it.
    """

    metric: SegmentationMetric | None
    scores: SegmentationScores | None

    def __init__(self, model: nn.Module, headline: str = "mean_iou", count_background: bool = True, **options: Any):
        super().__init__(model, headline, **options)
        self.count_background = count_background

    def build_metric(self, data: Any) -> SegmentationMetric:
        places = {image_id: place for place, image_id in enumerate(data.val.image_ids)}
        return SegmentationMetric(
            lambda image_id: data.val.label_map(places[image_id]).numpy(),
            data.class_names,
            data.category_ids,
            background_of(data.class_names),
            self.count_background,
        )

    def show(self, metric: SegmentationMetric, batch: Batch, predictions: LabelMaps) -> None:
        metric.update(batch.image_ids.cpu().numpy(), [each.cpu().numpy() for each in predictions.originals(batch)])

    def draw(self, kept: Sequence[tuple[Batch, LabelMaps]], side: int) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        names = self.trainer.datamodule.class_names
        drawn = []
        for batch, found in kept:
            maps = zip(found.originals(batch), LabelMaps(batch.targets.label_map).originals(batch), strict=True)
            for row, pair in enumerate(maps):
                drawn.append(draw_label_map(photo_of(batch, row, side)[0], pair, names, background_of(names)))
        return drawn, "left: the class of each pixel; right: truth"

    def report(self, folder: Path, evidence: ClassPixels | None, only_seen: bool) -> dict[str, Any]:
        """The confusion matrix, as numbers and as a picture."""
        matrix = self.metric.confusion()
        if matrix is not None:
            confusion = Confusion(None, self.metric.class_names, matrix.tolist())
            confusion.save(folder / "confusion.json")
            percent = np.rint(100 * matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)).astype(np.int64)
            drawn = matrix_chart(
                "What pixels are taken for, in % of a class", confusion.rows, confusion.columns, percent
            )
            (folder / "pictures").mkdir(exist_ok=True)
            write_whole(folder / "pictures/confusion.svg", drawn)
        return {}
