"""Training and scoring of detectors."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_only
from torch import nn

from tradeoffs.metrics.coco import CocoMetric, CocoScores
from tradeoffs.metrics.official import MOST_DETECTIONS
from tradeoffs.structures import Batch, Detections, to_original
from tradeoffs.tasks.by_name import LabelsByName
from tradeoffs.tasks.task import Task


class DetectionTask(Task):
    """Trains a detector (`losses`; `forward`, `criterion`, `postprocess`) and scores it by COCO's metric.

    Of an image the best `max_detections` are scored. The trainer's data module gives the ground truth, too. `options`
    are those of every task.
    """

    metric: CocoMetric | None
    scores: CocoScores | None

    def __init__(self, model: nn.Module, headline: str = "mAP", max_detections: int = MOST_DETECTIONS, **options: Any):
        super().__init__(model, headline, **options)
        self.max_detections = max_detections
        self.by_name: LabelsByName | None = None  # for a model that knows other classes than the data

    def setup(self, stage: str) -> None:
        data = self.trainer.datamodule
        if self.metric is None:  # not again for the validation after training
            self.metric = CocoMetric(data.val.ground_truth(), data.category_ids, max_detections=self.max_detections)
            self._say_limits(data.val.most_objects)

    @rank_zero_only
    def _say_limits(self, most: int) -> None:
        """Objects of one image beyond the numbers of detections that are made and scored cannot be found."""
        made = getattr(self.model, "max_detections", None)
        limits = {"task.max_detections": self.max_detections, "model.max_detections": made}
        low = [name for name, limit in limits.items() if limit is not None and limit < most]
        if low:
            remedy = " ".join(f"{name}={most}" for name in low)
            print(
                f"an image of the validation split has {most} objects, of which at most "
                f"{min(limits[name] for name in low)} can be found. COCO's protocol scores the {MOST_DETECTIONS} best "
                f"detections of an image; {remedy} allows more, for scores that compare with such alone"
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Any]:
        """The network runs once for both: the loss on unseen images, and the detections to be scored."""
        output = self.model(batch.images)
        targets = self.by_name.targets(batch.targets) if self.by_name else batch.targets
        losses = self.model.criterion(output, targets)
        self.log("val/loss", torch.stack(list(losses.values())).sum(), batch_size=len(batch), sync_dist=True)
        detections = self.postprocess(output, (batch.images.shape[-2], batch.images.shape[-1]))
        self.metric.update(batch.image_ids, to_original(detections, batch))
        return {"batch": batch, "output": output, "detections": detections}

    def postprocess(self, output: Any, image_size: tuple[int, int]) -> Detections:
        """The model's detections, with the labels of the data."""
        detections = self.model.postprocess(output, image_size)
        return self.by_name.detections(detections) if self.by_name else detections
