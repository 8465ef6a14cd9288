"""Box geometry. Boxes are `xyxy` in absolute pixels unless a name says otherwise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def area(boxes: Float[Tensor, "*N 4"]) -> Float[Tensor, "*N"]:
    """Square pixels; negative or zero sides count as they are."""
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def iou(a: Float[Tensor, "*B N 4"], b: Float[Tensor, "*B M 4"]) -> Float[Tensor, "*B N M"]:
    """Intersection over union of every box of `a` with every box of `b`, for all images at once.

    Two boxes without area have an IoU of 0. Leading dimensions broadcast by hand: give `b` as `b.expand(...)`.
    """
    # Coordinates that lie side by side in memory make this three times as fast on a CPU.
    ax1, ay1, ax2, ay2 = a.mT.contiguous()[..., :, None].unbind(-3)
    bx1, by1, bx2, by2 = b.mT.contiguous()[..., None, :].unbind(-3)
    width = (torch.minimum(ax2, bx2) - torch.maximum(ax1, bx1)).clamp_(min=0)
    height = (torch.minimum(ay2, by2) - torch.maximum(ay1, by1)).clamp_(min=0)
    intersection = width.mul_(height)
    union = area(a)[..., :, None] + area(b)[..., None, :] - intersection
    return intersection.div_(union.clamp_(min=torch.finfo(union.dtype).tiny))


def clip(boxes: Float[Tensor, "*N 4"], size: tuple[int, int]) -> Float[Tensor, "*N 4"]:
    """Boxes cut at the border of an image of `size` (height, width)."""
    height, width = size
    return torch.stack([boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)], dim=-1).flatten(-2)


def to_centers(boxes: Float[Tensor, "*N 4"]) -> tuple[Float[Tensor, "*N 2"], Float[Tensor, "*N 2"]]:
    """Centres (x, y) and sizes (width, height)."""
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sizes, sizes


def from_centers(centers: Float[Tensor, "*N 2"], sizes: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N 4"]:
    """The inverse of `to_centers`."""
    return torch.cat([centers - 0.5 * sizes, centers + 0.5 * sizes], dim=-1)
