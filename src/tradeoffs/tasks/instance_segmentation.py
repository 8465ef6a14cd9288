"""Training and scoring of networks that find objects and their masks."""

from __future__ import annotations

from typing import Any

from torch import nn

from tradeoffs.errors import UserError
from tradeoffs.metrics.coco_masks import MaskMetric
from tradeoffs.ops.run_lengths import segments
from tradeoffs.structures import Batch, Instances, to_original
from tradeoffs.tasks.detection import DetectionTask


class InstanceSegmentationTask(DetectionTask):
    """A detection task whose model finds masks, too: `Instances`, and scores are of masks, of boxes and of borders.

    `boundary_ap` scores borders. `options` are those of detection.
    """

    metric: MaskMetric | None

    def __init__(self, model: nn.Module, headline: str = "mask_mAP", boundary_ap: bool = False, **options: Any):
        super().__init__(model, headline, **options)
        if headline.startswith("boundary") and not boundary_ap:
            raise UserError(f"task.headline={headline} needs task.boundary_ap=true, which computes it")
        self.boundary_ap = boundary_ap

    def build_metric(self, data: Any) -> MaskMetric:
        truth, limit = data.val.ground_truth(), self.max_detections
        return MaskMetric(truth, data.category_ids, boundaries=self.boundary_ap, max_detections=limit)

    def detect(self, output: Any, image_size: tuple[int, int]) -> Instances:
        """The metric pastes masks into the original images; nobody needs them in the input's pixels."""
        return self.model.postprocess(output, image_size, pasted=False)

    def show(self, metric: MaskMetric, batch: Batch, predictions: Instances) -> None:
        codes = [code["counts"] for image in segments(predictions, batch, predictions.valid) for code in image]
        metric.update(batch.image_ids, to_original(predictions, batch), codes)
