"""Regions of images, warped to one size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torchvision.ops import roi_align


def enlarge(boxes: Float[Tensor, "*N 4"], size: int, context: int) -> Float[Tensor, "*N 4"]:
    """Boxes of which `context` pixels on each side lie around `boxes` when they are warped to `size` x `size`."""
    margin = (boxes[..., 2:] - boxes[..., :2]) * (context / (size - 2 * context))
    return torch.cat([boxes[..., :2] - margin, boxes[..., 2:] + margin], dim=-1)


def warp(
    images: Float[Tensor, "B C _ _"], boxes: Float[Tensor, "N 4"], rows: Int64[Tensor, " N"], size: int
) -> Float[Tensor, "N C {size} {size}"]:
    """What each box of the image `rows` says holds, stretched to `size` x `size`; zero beyond the image.

    Pixels are read bilinearly; where a box is shrunk, each pixel is the mean of points that lie a pixel apart or less.
    """
    canvas = F.pad(images, (1, 1, 1, 1))  # the reader would repeat pixels at the border before it gives zeros
    regions = torch.cat([rows[:, None].to(boxes.dtype), boxes + 1], dim=1)
    return roi_align(canvas, regions, size, sampling_ratio=-1, aligned=True)
