"""Default boxes: the reference boxes that tile every feature map (Liu et al. 2016, section 2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from tradeoffs.ops.boxes import from_centers

Shapes = list[list[tuple[float, float]]]
"""For each feature map, the (width, height) of the boxes at one location, as fractions of the image."""


def scaled_shapes(scales: Sequence[float], aspect_ratios: Sequence[Sequence[float]]) -> Shapes:
    """Two squares, of scale s_k and sqrt(s_k * s_k+1), and a lying and a standing box per aspect ratio.

    `scales` has one entry more than there are maps; `aspect_ratios` has one list per map (Liu et al. 2016, 2.2).
    """
    shapes: Shapes = []
    for (scale, following), ratios in zip(pairwise(scales), aspect_ratios, strict=True):
        between = math.sqrt(scale * following)
        shapes.append([(scale, scale), (between, between)])
        for root in map(math.sqrt, ratios):
            shapes[-1] += [(scale * root, scale / root), (scale / root, scale * root)]
    return shapes


def linear_shapes(num_maps: int, smallest: float = 0.2, largest: float = 0.95) -> Shapes:
    """Scales that grow linearly with the map, as in Huang et al. 2017's code (multiple_grid_anchor_generator).

    Six boxes a location, but three on the first map: a square of half the smallest scale and two oblong ones.
    """
    steps = max(num_maps - 1, 1)
    scales = [smallest + (largest - smallest) * k / steps for k in range(num_maps)] + [1.0]
    shapes = scaled_shapes(scales, [(2, 3)] * num_maps)
    root = math.sqrt(2)
    half = smallest / 2
    shapes[0] = [(half, half), (smallest * root, smallest / root), (smallest / root, smallest * root)]
    return shapes


def ssd300_shapes(num_maps: int = 6, smallest: float = 0.15, largest: float = 0.87) -> Shapes:
    """The boxes of SSD300 on VGG16, with COCO's scales by default (Liu et al. 2016, section 3.4).

    Squares of 0.07 on the first map, then scales that grow linearly; 4 boxes a location on the first and the last two
    maps, 6 on the others. Sides longer than the image are cut to it, as in torchvision.
    """
    step = (largest - smallest) / (num_maps - 2)
    scales = [0.07] + [smallest + step * k for k in range(num_maps)]
    ratios = [(2,)] + [(2, 3)] * (num_maps - 3) + [(2,)] * 2
    shapes = scaled_shapes(scales, ratios)
    return [[(min(width, 1.0), min(height, 1.0)) for width, height in boxes] for boxes in shapes]


def default_boxes(
    map_sizes: Sequence[tuple[int, int]],
    image_size: tuple[int, int],
    shapes: Sequence[Float[Tensor, "_ 2"]],
    steps: Sequence[float] | None = None,
    side: float | None = None,
) -> Float[Tensor, "A 4"]:
    """The default boxes of all maps (row by row, then by location, then by shape), xyxy in pixels, not clipped.

    `shapes` are on the device that the boxes are wanted on, as parts of the image's width and height, or of `side`
    pixels both. Locations are spread evenly over the image, whatever padding the network used; `steps` gives the
    distance of neighbours in pixels instead, for networks trained that way (SSD300: 8, 16, 32, 64, 100, 300).
    """
    height, width = image_size
    across, down = (side, side) if side else (width, height)
    boxes = []
    for k, (rows, columns) in enumerate(map_sizes):
        step_y, step_x = (steps[k], steps[k]) if steps else (height / rows, width / columns)
        sizes = torch.stack([shapes[k][:, 0] * across, shapes[k][:, 1] * down], dim=-1)
        boxes.append(tile(sizes, (rows, columns), (step_y, step_x), offset=0.5))
    return torch.cat(boxes)


def sliding_anchors(
    map_sizes: Sequence[tuple[int, int]],
    image_size: tuple[int, int],
    shapes: Sequence[Float[Tensor, "_ 2"]],
    side: float | None = None,
    whole_steps: bool = False,
) -> Float[Tensor, "A 4"]:
    """Anchors of all maps (row by row, then by location, then by shape), xyxy in pixels, not clipped.

    `shapes` are (width, height) for each map, as parts of `side` pixels: the image's shorter side if that is None. Half
    sides are rounded to pixels, as in Faster R-CNN's code, and at least one. The first location of a map is the
    image's corner, the others follow at the map's stride (Ren et al. 2015, section 3.1.1; Huang et al. 2017's code,
    grid_anchor_generator); with `whole_steps` that is rounded down to pixels, as torchvision's networks were trained.
    """
    height, width = image_size
    side = side or min(height, width)
    anchors = []
    for (rows, columns), sizes in zip(map_sizes, shapes, strict=True):
        sizes = 2 * (sizes * side / 2).round().clamp(min=1)
        steps = (height // rows, width // columns) if whole_steps else (height / rows, width / columns)
        anchors.append(tile(sizes, (rows, columns), steps))
    return torch.cat(anchors)


def tile(
    sizes: Float[Tensor, "n 2"], grid: tuple[int, int], steps: tuple[float, float], offset: float = 0.0
) -> Float[Tensor, "A 4"]:
    """Boxes of all `sizes` (width, height) around each location of a grid of (rows, columns).

    Locations are `steps` (down, across) pixels apart; the first is `offset` steps from the corner.
    """
    rows, columns = (torch.arange(count, dtype=torch.float32, device=sizes.device) + offset for count in grid)
    centers = torch.stack(torch.meshgrid(columns * steps[1], rows * steps[0], indexing="xy"), dim=-1)
    return from_centers(*torch.broadcast_tensors(centers[:, :, None], sizes)).reshape(-1, 4)


def anchor_shapes(sizes: Sequence[float], ratios: Sequence[float] = (0.5, 1.0, 2.0)) -> list[tuple[float, float]]:
    """(width, height) of areas `sizes` squared at each ratio of height to width: all sizes of the first ratio first."""
    return [(size / math.sqrt(ratio), size * math.sqrt(ratio)) for ratio in ratios for size in sizes]


def geometric_sizes(smallest: float, largest: float, count: int) -> list[float]:
    """`count` sizes, each the same number of times as large as the one before."""
    return [smallest * (largest / smallest) ** (k / max(count - 1, 1)) for k in range(count)]
