"""Joints as heatmaps, a map for each, and back (Tompson et al. 2014; Zhang et al. 2020).

A pixel of a heatmap spans a square of the image, whose centre is where it lies: the first one at 0.5, 0.5.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

QUARTER = 0.25  # pixels by which a peak is shifted towards its higher neighbour (Newell et al. 2016, section 3.2)
LEAST = 1e-10  # of a heatmap's values, whose logarithm is taken


def gaussians(
    points: Float[Tensor, "*N 2"], size: tuple[int, int], sigma: float
) -> Float[Tensor, "*N {size[0]} {size[1]}"]:
    """A Gaussian around each point, whose highest value is 1; x and y in pixels of a heatmap of `size` (height, width).

    They are centred where the joint is, and not in the nearest pixel (Zhang et al. 2020, section 3.3).
    """
    x, y = points.float().unsqueeze(-1).unbind(dim=-2)
    rows, columns = (torch.arange(side, device=points.device) + 0.5 for side in size)
    vertical, horizontal = (torch.exp(-((p - q) ** 2) / (2 * sigma**2)) for p, q in ((rows, y), (columns, x)))
    return vertical.unsqueeze(-1) * horizontal.unsqueeze(-2)


def peaks(heatmaps: Float[Tensor, "*N H W"]) -> tuple[Int64[Tensor, "*N 2"], Float[Tensor, "*N"]]:
    """Column and row of the highest pixel of each map, and its value."""
    values, places = heatmaps.flatten(-2).max(dim=-1)
    width = heatmaps.shape[-1]
    return torch.stack([places % width, places // width], dim=-1), values


def decode_quarter(heatmaps: Float[Tensor, "*N H W"]) -> tuple[Float[Tensor, "*N 2"], Float[Tensor, "*N"]]:
    """Where each joint is, and the height of its peak: a quarter of a pixel towards the higher neighbour on each axis.

    Pixels at the border have no second neighbour and stay.
    """
    places, values = peaks(heatmaps)
    around = _around(heatmaps, places)
    gradient = torch.stack([around[..., 1, 2] - around[..., 1, 0], around[..., 2, 1] - around[..., 0, 1]], dim=-1)
    return places + 0.5 + QUARTER * gradient.sign() * _inside(heatmaps, places), values


def decode_dark(heatmaps: Float[Tensor, "*N H W"], sigma: float) -> tuple[Float[Tensor, "*N 2"], Float[Tensor, "*N"]]:
    """The same by the Taylor expansion of the logarithm around the peak of the smoothed map (Zhang et al. 2020).

    Exact for a Gaussian. `sigma`, in pixels, is that of the targets, by which maps are smoothed. Where the map has no
    peak in both directions, and at its border, the pixel's centre stands; no shift is more than a pixel.
    """
    _, values = peaks(heatmaps)
    smooth = blur(heatmaps, sigma).clamp(min=LEAST).log()
    places, _ = peaks(smooth)
    around = _around(smooth, places)
    middle = around[..., 1, 1]
    dx, dy = (around[..., 1, 2] - around[..., 1, 0]) / 2, (around[..., 2, 1] - around[..., 0, 1]) / 2
    dxx = around[..., 1, 2] - 2 * middle + around[..., 1, 0]
    dyy = around[..., 2, 1] - 2 * middle + around[..., 0, 1]
    dxy = (around[..., 2, 2] - around[..., 2, 0] - around[..., 0, 2] + around[..., 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    is_peak = (determinant > 0) & (dxx < 0)
    divisor = torch.where(is_peak, determinant, torch.ones_like(determinant))
    shift = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1) / divisor[..., None]
    kept = is_peak[..., None] & _inside(smooth, places)
    return places + 0.5 + torch.where(kept, shift.clamp(-1, 1), 0.0), values


def blur(heatmaps: Float[Tensor, "*N H W"], sigma: float) -> Float[Tensor, "*N H W"]:
    """Smoothed by a Gaussian that reaches to two and a half times `sigma`; nothing lies beyond the borders."""
    reach = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-reach, reach + 1, device=heatmaps.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2)).to(heatmaps.dtype)
    kernel = kernel / kernel.sum()
    planes = heatmaps.flatten(0, -3)[:, None]
    planes = F.conv2d(planes, kernel[None, None, None], padding=(0, reach))
    return F.conv2d(planes, kernel[None, None, :, None], padding=(reach, 0)).view_as(heatmaps)


def _around(heatmaps: Float[Tensor, "*N H W"], places: Int64[Tensor, "*N 2"]) -> Float[Tensor, "*N 3 3"]:
    """The pixels around each place; beyond the border those at it."""
    height, width = heatmaps.shape[-2:]
    steps = torch.arange(-1, 2, device=heatmaps.device)
    columns = (places[..., :1] + steps).clamp(0, width - 1)
    rows = (places[..., 1:] + steps).clamp(0, height - 1)
    index = rows[..., :, None] * width + columns[..., None, :]
    return heatmaps.flatten(-2).gather(-1, index.flatten(-2)).unflatten(-1, (3, 3))


def _inside(heatmaps: Float[Tensor, "*N H W"], places: Int64[Tensor, "*N 2"]) -> Tensor:
    """By axis, whether there are neighbours on both sides."""
    last = places.new_tensor([heatmaps.shape[-1] - 1, heatmaps.shape[-2] - 1])
    return (places > 0) & (places < last)
