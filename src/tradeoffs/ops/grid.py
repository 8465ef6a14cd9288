"""Images divided into a grid whose cells answer for the objects centred in them (Redmon et al. 2016, section 2)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import from_centers, to_centers


def grid_cells(
    grid: tuple[int, int],
    image_size: tuple[int, int],
    device: torch.device | str | None = None,
    whole_steps: bool = False,
) -> Float[Tensor, "G 4"]:
    """The cells of a grid of (rows, columns), row by row, as xyxy boxes in pixels. They cover the image evenly.

    With `whole_steps` their sides are rounded down to pixels, as torchvision's networks were trained.
    """
    (rows, columns), (height, width) = grid, image_size
    if whole_steps:
        height, width = height // rows * rows, width // columns * columns
    top = torch.arange(rows, dtype=torch.float32, device=device) * (height / rows)
    left = torch.arange(columns, dtype=torch.float32, device=device) * (width / columns)
    corners = torch.stack(torch.meshgrid(left, top, indexing="xy"), dim=-1).reshape(-1, 2)
    ends = torch.stack(torch.meshgrid(left + width / columns, top + height / rows, indexing="xy"), dim=-1)
    return torch.cat([corners, ends.reshape(-1, 2)], dim=-1)


def cell_of(boxes: Float[Tensor, "B N 4"], cells: Float[Tensor, "G 4"]) -> Int64[Tensor, "B N"]:
    """The cell (0..G-1) that holds the centre of each box; a centre on the image's right or lower border counts in."""
    centers, _ = to_centers(boxes)
    side = cells[0, 2:]
    counts = (cells[-1, 2:] / side).round()
    column, row = (centers / side).floor().clamp(min=0).minimum(counts - 1).unbind(-1)
    return (row * counts[0] + column).long()


def to_grid(
    boxes: Float[Tensor, "*B G P 4"], cells: Float[Tensor, "G 4"]
) -> tuple[Float[Tensor, "*B G P 2"], Float[Tensor, "*B G P 2"]]:
    """Where the centres of boxes stand in their cell, from 0 to 1, and (width, height) as parts of the image."""
    centers, sizes = to_centers(boxes)
    corners, sides = cells[:, None, :2], (cells[:, 2:] - cells[:, :2])[:, None]
    return (centers - corners) / sides, sizes / cells[-1, 2:]


def from_grid(
    places: Float[Tensor, "*B G P 2"], sizes: Float[Tensor, "*B G P 2"], cells: Float[Tensor, "G 4"]
) -> Float[Tensor, "*B G P 4"]:
    """The inverse of `to_grid`: boxes in pixels."""
    corners, sides = cells[:, None, :2], (cells[:, 2:] - cells[:, :2])[:, None]
    return from_centers(corners + places * sides, sizes * cells[-1, 2:])


def shape_iou(a: Float[Tensor, "*B N 2"], b: Float[Tensor, "M 2"]) -> Float[Tensor, "*B N M"]:
    """Intersection over union of boxes of these widths and heights, laid on the same centre."""
    a = a[..., :, None, :]
    intersection = torch.minimum(a, b).prod(dim=-1)
    return intersection / (a.prod(dim=-1) + b.prod(dim=-1) - intersection)
