"""Non-maximum suppression of a whole batch, all classes at once, without a loop over either.

The fixed-point iteration is known as Cluster-NMS (Zheng et al. 2020, section 4): it ends in the very result of the
greedy algorithm, after at most as many rounds as the longest chain of suppressions.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import gather_rows
from tradeoffs.structures import Detections


def suppress(
    boxes: Float[Tensor, "B N 4"], labels: Int64[Tensor, "B N"], valid: Bool[Tensor, "B N"], threshold: float
) -> Bool[Tensor, "B N"]:
    """Which boxes survive: those with no surviving box of the same class before them with IoU above `threshold`.

    Boxes must come best first.
    """
    rivals = (iou(boxes, boxes) > threshold).logical_and_(labels[:, :, None] == labels[:, None, :]).triu_(diagonal=1)
    kept = valid
    while True:
        survivors = valid & ~(rivals & kept[:, :, None]).any(dim=1)
        if torch.equal(survivors, kept):
            return kept
        kept = survivors


def best_first(values: Detections, kept: Bool[Tensor, "B N"], count: int) -> Detections:
    """The first `count` kept rows of every image, moved to the front; the others are marked invalid."""
    count = min(count, kept.shape[1])
    # A stable sort of "dropped" (0 before 1) keeps the order by score.
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)[:, :count]
    return Detections(
        boxes=gather_rows(values.boxes, order),
        scores=gather_rows(values.scores, order),
        labels=gather_rows(values.labels, order),
        valid=gather_rows(kept, order),
    )
