"""Training and scoring of detectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from pytorch_lightning.utilities import rank_zero_only
from torch import Tensor, nn

from tradeoffs.metrics.coco import CocoMetric, CocoScores
from tradeoffs.metrics.coco_charts import draw_scores
from tradeoffs.metrics.curves import USUAL_SCORE, best_f1
from tradeoffs.metrics.matches import Matches
from tradeoffs.metrics.official import MOST_DETECTIONS
from tradeoffs.ops.masks import paste
from tradeoffs.pictures import draw_boxes, draw_masks
from tradeoffs.structures import Batch, Detections, Instances, Targets, originals, to_original
from tradeoffs.tasks.by_name import LabelsByName
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of


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
        if self.metric is None:
            self._say_limits(self.trainer.datamodule.val.most_objects)
        super().setup(stage)

    def build_metric(self, data: Any) -> CocoMetric:
        return CocoMetric(data.val.ground_truth(), data.category_ids, max_detections=self.max_detections)

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

    def targets_of(self, batch: Batch) -> Targets:
        return self.by_name.targets(batch.targets) if self.by_name else batch.targets

    def postprocess(self, output: Any, image_size: tuple[int, int]) -> Detections:
        """The model's detections, with the labels of the data."""
        detections = self.detect(output, image_size)
        return self.by_name.detections(detections) if self.by_name else detections

    def detect(self, output: Any, image_size: tuple[int, int]) -> Detections:
        """The same with the model's own labels."""
        return self.model.postprocess(output, image_size)

    def show(self, metric: CocoMetric, batch: Batch, predictions: Detections) -> None:
        metric.update(batch.image_ids, to_original(predictions, batch))

    def draw(self, kept: Sequence[tuple[Batch, Detections]], side: int) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        """From the score of the best F1 on, or from the usual one where it is not known, as for a large split."""
        best = self.metric.quick_best_f1()
        score, names = best.threshold if best else USUAL_SCORE, self.trainer.datamodule.class_names
        drawn = [picture for each in kept for picture in draw_detections(*each, names, score, side)]
        boxes = f"boxes with a score of {score:.2g} or more{' (best F1)' if best else ''}"
        return drawn, f"solid: {boxes}; dashed: truth, named where it was missed"

    def report(self, folder: Path, evidence: Matches | None, only_seen: bool) -> dict[str, Any]:
        """The threshold of the best F1; curves and the confusion matrix at that threshold."""
        best = best_f1(evidence) if evidence else None
        confusion = self.metric.confusion(best.threshold if best else USUAL_SCORE, only_seen)
        if confusion is not None:
            confusion.save(folder / "confusion.json")
            draw_scores(folder, evidence, confusion)
        return {"best_f1": best._asdict() if best else None}


def draw_detections(
    batch: Batch, detections: Detections, class_names: Sequence[str], min_score: float, side: int
) -> list[UInt8[Tensor, "3 _h _w"]]:
    """Each photo of the batch in its own shape, its longer side `side` pixels, with its truth and what is sure enough.

    `detections` are in pixels of the network input, as the truth is.
    """
    found, true = to_original(detections, batch), originals(batch.targets.boxes, batch)
    uncut = originals(detections.boxes, batch, cut=False)
    pictures = []
    for i in range(len(batch)):
        shown, real = detections.valid[i] & (detections.scores[i] >= min_score), batch.targets.valid[i]
        classes, true_classes = detections.labels[i][shown].tolist(), batch.targets.labels[i][real].tolist()
        photo, scale = photo_of(batch, i, side)
        if isinstance(detections, Instances):
            best_last = detections.masks[i][shown].flip(0), (uncut[i][shown] * scale).flip(0)
            masks = (mask for part in paste(*best_last, (photo.shape[1], photo.shape[2])) for mask in part)
            photo = draw_masks(photo, masks, classes[::-1])
        pictures.append(
            draw_boxes(
                photo,
                found.boxes[i][shown].float() * scale,
                [class_names[label] for label in classes],
                detections.scores[i][shown].float(),
                truth=true[i][real] * scale,
                classes=classes,
                truth_labels=[class_names[label] for label in true_classes],
                truth_classes=true_classes,
            )
        )
    return pictures
