"""From scores and box offsets of all reference boxes to the final detections of a batch."""

from __future__ import annotations

from jaxtyping import Float, Int64
from torch import Tensor

from tradeoffs.ops.box_coding import decode
from tradeoffs.ops.boxes import clip
from tradeoffs.ops.matching import gather_rows
from tradeoffs.ops.nms import best_first, suppress
from tradeoffs.structures import Detections


def detect(
    scores: Float[Tensor, "B A K"],
    offsets: Float[Tensor, "B A 4"],
    anchors: Float[Tensor, "A 4"],
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    nms_threshold: float,
    max_detections: int,
    max_per_class: int = 400,  # as in torchvision; the paper says no number
) -> Detections:
    """Boxes that score above the threshold, suppressed class by class: the best `max_detections` of each image.

    The result is that of suppressing the best `max_per_class` boxes of each class and then cutting to
    `max_detections`, but only as many of the best candidates are decoded and compared as that takes: a box can only
    be suppressed by a better one, so the first `max_detections` survivors are final however many candidates follow.
    """
    flat = scores.flatten(1)
    per_class = (scores > score_threshold).sum(dim=1)
    eligible = per_class.clamp(max=max_per_class).sum(dim=1)  # often far fewer, where there are few classes
    most = max(int(per_class.sum(dim=1).max()), 1)
    count = 2 * max_detections
    while True:
        count = min(count, most)
        top, index = flat.topk(count)
        anchor, labels = index // scores.shape[2], index % scores.shape[2]
        boxes = clip(decode(gather_rows(offsets, anchor), anchors[anchor]), image_size)
        valid = top > score_threshold
        if count > max_per_class:
            valid &= rank_in_class(labels) < max_per_class
        kept = suppress(boxes, labels, valid, nms_threshold)
        if bool(((kept.sum(dim=1) >= max_detections) | (valid.sum(dim=1) >= eligible)).all()):
            return best_first(Detections(boxes, top, labels, valid), kept, max_detections)
        count *= 2


def rank_in_class(labels: Int64[Tensor, "B N"]) -> Int64[Tensor, "B N"]:
    """How many rows of the same label come before each row."""
    return (labels[:, :, None] == labels[:, None, :]).triu_(diagonal=1).sum(dim=1)
