"""Training and scoring of networks that say what the main object of an image is, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.metrics.image_scores import ImageScores, MeanScores
from tradeoffs.ops.boxes import iou
from tradeoffs.pictures import draw_boxes
from tradeoffs.structures import Batch, LabelledBoxes, originals
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of

RIGHT = 0.5  # IoU of a box from which on (ILSVRC)
LOOSE_TO_STRICT = (0.3, 0.5, 0.7)
NAMES = ("loc1", "loc5", "loc_known", "loc_mean", "box_iou", "top1")


class LocalizationTask(Task):
    """Trains a localizer (`losses`; `forward`, `criterion`, `postprocess`). `options` are those of every task.

    Scores are ILSVRC's, as accuracies: one minus its errors (Russakovsky et al. 2015, section 4.2), with the class to
    be named or known; the mean IoU, and the class alone. IoUs are those in pixels of the original images.
    """

    metric: ImageScores | None
    scores: MeanScores | None

    def __init__(self, model: nn.Module, headline: str = "loc1", **options: Any):
        super().__init__(model, headline, **options)

    def build_metric(self, data: Any) -> ImageScores:
        self.category_ids = list(data.category_ids)
        return ImageScores(NAMES, "loc1", "wrong", inverted=True)

    def show(self, metric: ImageScores, batch: Batch, predictions: LabelledBoxes) -> None:
        truth, label = originals(batch.targets.boxes, batch), batch.targets.label
        boxes = originals(predictions.boxes, batch)
        known = overlaps(originals(predictions.of_class(label), batch), truth)[:, 0]
        named = predictions.labels == label[:, None]
        right = named & (overlaps(boxes, truth) >= RIGHT)
        values = {
            "loc1": right[:, 0],
            "loc5": right.any(dim=1),
            "loc_known": known >= RIGHT,
            "loc_mean": sum((known >= threshold).float() for threshold in LOOSE_TO_STRICT) / len(LOOSE_TO_STRICT),
            "box_iou": known,
            "top1": named[:, 0],
        }
        found = zip(predictions.labels.tolist(), predictions.scores.tolist(), boxes.tolist(), strict=True)
        metric.update(batch.image_ids, values, [self._as_results(*each) for each in found])

    def _as_results(self, labels: list[int], scores: list[float], boxes: list[list[float]]) -> list[dict]:
        """Of one image, in COCO's results format, the most probable class first."""
        return [
            {
                "category_id": self.category_ids[label],
                "bbox": [round(each, 3) for each in (left, top, right - left, bottom - top)],
                "score": score,
            }
            for label, score, (left, top, right, bottom) in zip(labels, scores, boxes, strict=True)
        ]

    def draw(
        self, kept: Sequence[tuple[Batch, LabelledBoxes]], side: int
    ) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        names = self.trainer.datamodule.class_names
        drawn = [picture for each in kept for picture in draw_main_objects(*each, names, side)]
        return drawn, "solid: the most probable class and its box; dashed: truth, named where it was missed"


def draw_main_objects(
    batch: Batch, found: LabelledBoxes, names: Sequence[str], side: int
) -> list[UInt8[Tensor, "3 _h _w"]]:
    """Each photo of the batch in its own shape, its longer side `side` pixels."""
    boxes, truth, pictures = originals(found.boxes, batch), originals(batch.targets.boxes, batch), []
    for row in range(len(batch)):
        photo, scale = photo_of(batch, row, side)
        label, true = int(found.labels[row, 0]), int(batch.targets.label[row])
        true_box = {"truth": truth[row] * scale, "truth_labels": [names[true]], "truth_classes": [true]}
        marks = boxes[row, :1].float() * scale, [names[label]], found.scores[row, :1].float()
        pictures.append(draw_boxes(photo, *marks, classes=[label], **true_box))
    return pictures


def overlaps(boxes: Float[Tensor, "B N 4"], truth: Float[Tensor, "B 1 4"]) -> Float[Tensor, "B N"]:
    """Intersection over union of each box with its image's one."""
    return iou(boxes, truth.to(boxes.dtype))[..., 0]
