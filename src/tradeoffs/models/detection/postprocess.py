"""From the scores of all reference boxes to the final detections of a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import clip
from tradeoffs.ops.matching import gather_rows
from tradeoffs.ops.nms import best_first, suppress
from tradeoffs.ops.sampling import first_rows
from tradeoffs.structures import Detections

Boxes = Callable[[Int64[Tensor, "B N"], Int64[Tensor, "B N"]], Float[Tensor, "B N 4"]]


def detect(
    scores: Float[Tensor, "B A K"],
    boxes_at: Boxes,
    image_size: tuple[int, int],
    *,
    score_threshold: float,
    nms_threshold: float,
    max_detections: int,
    max_per_class: int | None = None,
    levels: Int64[Tensor, " A"] | None = None,
    max_per_level: int | None = None,
    min_side: float = 0.0,
) -> Detections:
    """Boxes that score above the threshold, suppressed class by class: the best `max_detections` of each image.

    `boxes_at(references, labels)` decodes the boxes of some reference boxes for some classes, in pixels. Of each class,
    or of each level that reference boxes come from, only the best few take part. Boxes with a side below `min_side`
    pixels do not; nor does what is not a number.

    Only as many of the best candidates are decoded and compared as the result takes: a box can only be suppressed by a
    better one, so the first `max_detections` survivors are final however many candidates follow.
    """
    num_classes = scores.shape[2]
    values, index = candidates(scores.flatten(1), score_threshold)
    group = levels[index // num_classes] if levels is not None else index % num_classes
    most_of_group = max_per_class if levels is None else max_per_level
    available = allowed(group, values > -torch.inf, most_of_group)
    count = 2 * max_detections
    while True:
        count = min(count, values.shape[1])
        top, place, valid = best_allowed(values, group, count, most_of_group)
        chosen = index.gather(1, place)
        references, labels = chosen // num_classes, chosen % num_classes
        boxes = clip(boxes_at(references, labels), image_size)
        seen = valid.sum(dim=1)
        valid &= (boxes[..., 2:] - boxes[..., :2]).amin(dim=-1) >= min_side
        kept = suppress(boxes, labels, valid, nms_threshold)
        if bool(((kept.sum(dim=1) >= max_detections) | (seen >= available)).all()):
            return best_first(Detections(boxes, top, labels, valid), kept, max_detections)
        count *= 2


def decoded(boxes: Float[Tensor, "B A 4"]) -> Boxes:
    """For `detect`: boxes that are there already, the same for all classes."""
    return lambda references, labels: gather_rows(boxes, references)


def candidates(scores: Float[Tensor, "B N"], threshold: float) -> tuple[Float[Tensor, "B M"], Int64[Tensor, "B M"]]:
    """Scores above the threshold and where they stand in their row; M is what the fullest row needs, 1 or more.

    They stand in no special order; scores of -inf fill the rows up.
    """
    rows, columns = (scores > threshold).nonzero(as_tuple=True)
    counts = rows.bincount(minlength=len(scores))
    place = torch.arange(len(rows), device=rows.device) - (counts.cumsum(0) - counts)[rows]
    shape = (len(scores), max(int(counts.max()), 1))
    values, index = scores.new_full(shape, -torch.inf), rows.new_zeros(shape)
    values[rows, place], index[rows, place] = scores[rows, columns], columns
    return values, index


def allowed(group: Int64[Tensor, "B M"], valid: Bool[Tensor, "B M"], most: int | None) -> Int64[Tensor, " B"]:
    """How many rows of each image take part if every group may send `most`."""
    if most is None:
        return valid.sum(dim=1)
    counts = group.new_zeros(len(group), int(group.max()) + 1).scatter_add_(1, group, valid.long())
    return counts.clamp(max=most).sum(dim=1)


def best_allowed(
    values: Float[Tensor, "B M"], group: Int64[Tensor, "B M"], count: int, most: int | None
) -> tuple[Float[Tensor, "B N"], Int64[Tensor, "B N"], Bool[Tensor, "B N"]]:
    """Of the best `count` rows, those that take part if every group may send `most`: values, places, which are real.

    Best first. N is what the fullest image needs, so a flood within few groups is no work for what follows.
    """
    top, place = values.topk(count)
    valid = top > -torch.inf
    if most is None or count <= most:
        return top, place, valid
    valid &= rank_in_group(group.gather(1, place)) < most
    rows, valid = first_rows(valid, max(int(valid.sum(dim=1).max()), 1))
    return top.gather(1, rows), place.gather(1, rows), valid


def rank_in_group(group: Int64[Tensor, "B M"]) -> Int64[Tensor, "B M"]:
    """How many rows of the same group come before each row."""
    order = group.argsort(dim=1, stable=True)
    ordered = group.gather(1, order)
    place = torch.arange(group.shape[1], device=group.device).expand_as(group)
    follows = F.pad(ordered[:, 1:] == ordered[:, :-1], (1, 0))
    start = place.masked_fill(follows, 0).cummax(dim=1).values
    return torch.empty_like(group).scatter_(1, order, place - start)
