"""Non-maximum suppression of a whole batch, all classes at once.

No loop goes over images or classes, but for a single class on a CPU.

The fixed-point iteration is known as Cluster-NMS (Zheng et al. 2020, section 4): it ends in the very result of the
greedy algorithm, after at most as many rounds as the longest chain of suppressions.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch._higher_order_ops.while_loop import while_loop
from torchvision.ops import nms

from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import gather_rows
from tradeoffs.structures import Detections


class Pace(NamedTuple):
    """How a device goes through the boxes; it changes the time and the memory that is needed, never the result."""

    block: int  # boxes that are compared with all that follow, at once
    rounds: int  # of the iteration, until somebody looks whether it has ended


# A CPU wants what it compares to stay in the cache. On a GPU each block costs the start of some sixty small kernels and
# at least one wait for their result, so the blocks of a CPU, 16 for 2000 boxes, would cost it milliseconds.
CPU, GPU = Pace(block=128, rounds=1), Pace(block=1024, rounds=8)


def suppress(
    boxes: Float[Tensor, "B N 4"], labels: Int64[Tensor, "B N"] | None, valid: Bool[Tensor, "B N"], threshold: float
) -> Bool[Tensor, "B N"]:
    """Which boxes survive: those with no surviving box of the same class before them with IoU above `threshold`.

    Boxes must come best first. Without `labels` all are of one class.

    Boxes are taken in blocks, whose survivors suppress what follows before it is looked at: only half of all pairs are
    compared, few rounds are needed within a block, and memory grows with the number of boxes, not with its square.
    """
    is_cpu = boxes.is_cpu and not torch.compiler.is_compiling()
    if is_cpu and labels is None:
        return _image_by_image(boxes, valid, threshold)
    # A graph has all blocks in it, one after the other, so it must be few.
    step, rounds = CPU if is_cpu else GPU
    for start in range(0, boxes.shape[1], step):
        rest = boxes[:, start:]
        rivals = iou(rest[:, :step], rest) > threshold
        if labels is not None:
            rivals &= labels[:, start : start + step, None] == labels[:, None, start:]
        kept = fixed_point(rivals[..., :step].triu(diagonal=1), valid[:, start : start + step], rounds)
        later = valid[:, start + step :] & ~_suppressed(rivals[..., step:], kept)
        valid = torch.cat([valid[:, :start], kept, later], dim=1)
    return valid


def _image_by_image(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Where nothing is gained by doing all at once: torchvision's kernel looks at no pair whose first box is gone."""
    ranks = torch.arange(boxes.shape[1], 0, -1.0)  # for the kernel, which sorts by score
    kept = torch.zeros_like(valid)
    for row, (own, real) in enumerate(zip(boxes.detach().float(), valid, strict=True)):
        places = real.nonzero()[:, 0]
        kept[row, places[nms(own[places], ranks[places], threshold)]] = True
    return kept


def fixed_point(rivals: Bool[Tensor, "B N N"], valid: Bool[Tensor, "B N"], rounds: int = 1) -> Bool[Tensor, "B N"]:
    """The valid boxes with no rival before them that is itself in the result; `rivals[b, i, j]`: i could suppress j.

    Rounds beyond the last that is needed change nothing, so `rounds` of them may go by before it is asked.
    """
    if torch.compiler.is_compiling():  # a Python loop over data cannot be part of a graph
        return while_loop(_differ, partial(_round, rivals, valid), (_survivors(rivals, valid, valid), valid.clone()))[0]
    kept = valid
    while True:
        for _ in range(rounds):
            kept, before = _survivors(rivals, valid, kept), kept
        if torch.equal(kept, before):
            return kept


def _suppressed(rivals: Tensor, kept: Tensor) -> Tensor:
    # A maximum of bytes is what `any` computes, several times as fast.
    return (rivals & kept[:, :, None]).view(torch.uint8).amax(dim=1).view(torch.bool)


def _survivors(rivals: Tensor, valid: Tensor, kept: Tensor) -> Tensor:
    return valid & ~_suppressed(rivals, kept)


def _round(rivals: Tensor, valid: Tensor, kept: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    return _survivors(rivals, valid, kept), kept.clone()


def _differ(kept: Tensor, before: Tensor) -> Tensor:
    return (kept != before).any()


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
