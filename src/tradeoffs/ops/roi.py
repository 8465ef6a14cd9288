"""Maps cropped to boxes: RoIAlign and RoIPool of a whole batch, from one map or from a pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor
from torchvision.ops import roi_pool as pool_of_one_map

Map = Float[Tensor, "B C _ _"]
# A box of 224 px, the size of ImageNet's images, is cropped from the map of this stride.
CANONICAL_SIZE, CANONICAL_STRIDE = 224, 16


def pyramid_levels(boxes: Float[Tensor, "B P 4"], strides: Sequence[int]) -> Int64[Tensor, "B P"]:
    """Which of the maps of `strides` (powers of 2) each box is cropped from, the finest being 0.

    Boxes twice as large come from a map twice as coarse (Lin et al. 2017, equation 1).
    """
    sizes = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1).clamp(min=0).sqrt()
    wanted = CANONICAL_STRIDE * sizes / CANONICAL_SIZE * (1 + 1e-6)  # boxes on the border go to the coarser map
    return sum(((wanted >= stride).long() for stride in strides[1:]), start=torch.zeros_like(wanted, dtype=torch.int64))


def roi_align(
    maps: Sequence[Map],
    boxes: Float[Tensor, "B P 4"],
    levels: Int64[Tensor, "B P"],
    image_size: tuple[int, int],
    size: int,
    samples: int,
    half_pixel: bool = False,
) -> Float[Tensor, "B*P C size size"]:
    """`size` x `size` bins of each box, cut out of the map that `levels` says (He et al. 2017, section 3).

    A bin is the mean of `samples` x `samples` points, spread evenly and read bilinearly. Boxes lie in an image of
    `image_size`, which each map spans whatever its size; the centre of a map's first pixel is the image's corner. As in
    torchvision, boxes are at least one pixel of the map wide and high, and points outside the map count as zero. With
    `half_pixel` that centre is half a pixel of the map from the corner, where it lies in the image, and boxes have no
    least size (Detectron2's `aligned=True`). No gradient flows to the boxes.

    A bin is a weighted sum of pixels, so it is an embedding bag: the pixels of all maps are the rows of one table, and
    a box's map is nothing but an offset into it. Crops are channels last in memory.
    """
    table = torch.cat([x.flatten(2).mT for x in maps], dim=1)
    heights, widths = [x.shape[-2] for x in maps], [x.shape[-1] for x in maps]
    height, width = _of_level(heights, levels), _of_level(widths, levels)
    starts = [0, *accumulate(h * w for h, w in zip(heights, widths, strict=True))]
    start = _of_level(starts[:-1], levels) + starts[-1] * torch.arange(len(boxes), device=boxes.device)[:, None]

    scale = torch.stack([width / image_size[1], height / image_size[0]], dim=-1)
    ends = boxes.detach().unflatten(-1, (2, 2)) * scale[:, :, None]
    column, column_weight = _pixels(ends[..., 0], width, size, samples, half_pixel)
    row, row_weight = _pixels(ends[..., 1], height, size, samples, half_pixel)
    row = start[..., None, None] + row * width[..., None, None]
    index = row[:, :, :, None, :, None] + column[:, :, None, :, None, :]
    weight = row_weight[:, :, :, None, :, None] * column_weight[:, :, None, :, None, :]

    index, weight = (x.reshape(-1, 4 * samples**2) for x in (index, weight.to(table.dtype)))
    bins = F.embedding_bag(index, table.flatten(0, 1), mode="sum", per_sample_weights=weight)
    return bins.view(-1, size, size, table.shape[-1]).permute(0, 3, 1, 2)


def roi_pool(
    maps: Sequence[Map],
    boxes: Float[Tensor, "B P 4"],
    levels: Int64[Tensor, "B P"],
    image_size: tuple[int, int],
    size: int,
) -> Float[Tensor, "B*P C size size"]:
    """The same boxes, rounded to whole pixels of the map; a bin is the highest of its pixels (Girshick 2015, 2.1).

    All maps lie below each other on one canvas, whose ground is lower than anything: what a box that was rounded up
    sees beyond its map changes nothing, and bins that see nothing else are zero, as in torchvision.
    """
    widest = max(x.shape[-1] for x in maps)
    canvas = torch.cat([F.pad(x, (0, widest + 1 - x.shape[-1], 0, 1), value=-torch.inf) for x in maps], dim=2)
    heights, widths = [x.shape[-2] for x in maps], [x.shape[-1] for x in maps]
    top = _of_level([0, *accumulate(height + 1 for height in heights[:-1])], levels)
    scale = torch.stack([_of_level(widths, levels) / image_size[1], _of_level(heights, levels) / image_size[0]], dim=-1)
    corners = half_up(boxes.detach().unflatten(-1, (2, 2)) * scale[:, :, None])
    corners = corners + torch.stack([torch.zeros_like(top), top], dim=-1)[:, :, None]
    rows = torch.arange(len(boxes), device=boxes.device)[:, None, None].expand(-1, boxes.shape[1], 1)
    regions = torch.cat([rows, corners.flatten(-2)], dim=-1).flatten(0, 1).float()
    bins = pool_of_one_map(canvas.float().contiguous(), regions, size)
    return bins.masked_fill(bins <= torch.finfo(bins.dtype).min, 0).to(canvas.dtype)


def half_up(values: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """Rounded as C does, not to even numbers; of values that are not negative."""
    return (values + 0.5).floor()


def _of_level(values: Sequence[int], levels: Int64[Tensor, "B P"]) -> Int64[Tensor, "B P"]:
    """`values[level]`, without a tensor that would have to travel to the device."""
    return sum((levels == k) * value for k, value in enumerate(values))


def _pixels(
    ends: Float[Tensor, "B P 2"], limit: Int64[Tensor, "B P"], size: int, samples: int, half_pixel: bool
) -> tuple[Int64[Tensor, "B P size _"], Float[Tensor, "B P size _"]]:
    """Along one axis: the pixels that each bin reads between the `ends` of a box, and their weights."""
    steps = (torch.arange(size * samples, device=ends.device) + 0.5) / (size * samples)
    length = (ends[..., 1:] - ends[..., :1]).clamp(min=0 if half_pixel else 1)
    points = ends[..., :1] + steps * length - (0.5 if half_pixel else 0)
    inside = points <= limit[..., None]
    last = (limit - 1)[..., None].to(ends.dtype)
    points = points.clamp(min=0).minimum(last)
    low = points.floor()
    part = points - low
    # Where a box is not a number, neither are the weights; the pixels must exist nevertheless.
    pixels = torch.stack([low, (low + 1).minimum(last)], dim=-1).nan_to_num(0.0).long()
    weights = torch.stack([1 - part, part], dim=-1) * (inside / samples)[..., None]
    return pixels.unflatten(2, (size, samples)).flatten(3), weights.unflatten(2, (size, samples)).flatten(3)
