"""Joints as one pixel of a map that is spread over a person's box, and back (He et al. 2017, section 5)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

SHARPNESS = -0.75  # of the bicubic kernel, as torch and OpenCV have it (Keys 1981 has -0.5)
REACH = 2  # pixels of a map on each side that a bicubic interpolation reads
AT_ONCE = {"cpu": 2**19, "cuda": 2**25}  # enlarged pixels that are computed together: on a CPU few stay in its cache


def pixels_of_joints(
    keypoints: Float[Tensor, "*N J 3"], boxes: Float[Tensor, "*N 4"], side: int
) -> tuple[Int64[Tensor, "*N J"], Bool[Tensor, "*N J"]]:
    """The pixel of a `side` x `side` map over the box in which each joint lies, row by row, and whether it counts.

    Joints that are not labelled or lie outside do not, and have pixel 0. A joint on the box's right or lower edge is in
    the last pixel.
    """
    low, high = boxes.unflatten(-1, (2, 2)).unsqueeze(-3).unbind(dim=-2)
    points = keypoints[..., :2]
    places = ((points - low) * (side / (high - low))).floor()
    places = torch.where(points == high, float(side - 1), places)
    counts = ((places >= 0) & (places < side)).all(dim=-1) & (keypoints[..., 2] > 0)
    x, y = torch.where(counts[..., None], places, 0.0).long().unbind(dim=-1)
    return y * side + x, counts


def peaks_in_boxes(
    maps: Float[Tensor, "R J M M"], boxes: Float[Tensor, "R 4"]
) -> tuple[Float[Tensor, "R J 2"], Float[Tensor, "R J"]]:
    """Where each map is highest once it is enlarged to its box, x and y in pixels of the image; and how high.

    As in torchvision: a map becomes as many whole pixels as its box has, at least one, by bicubic interpolation, and a
    peak lies in the middle of one. To enlarge all maps of a box are two products of matrices, and boxes of similar
    size share them.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
    sizes = sides.ceil().long()
    places, values = sizes.new_zeros(*maps.shape[:2], 2), maps.new_zeros(maps.shape[:2])
    rim = F.pad(maps, (REACH,) * 4, mode="replicate").transpose(1, 2)
    for rows in together(sizes, maps.shape[1], AT_ONCE.get(maps.device.type, AT_ONCE["cuda"])):
        places[rows], values[rows] = highest(rim[rows], sizes[rows])
    return boxes[:, None, :2] + (places + 0.5) * (sides / sizes)[:, None], values


def highest(
    maps: Float[Tensor, "R M J M"], sizes: Int64[Tensor, "R 2"]
) -> tuple[Int64[Tensor, "R J 2"], Float[Tensor, "R J"]]:
    """Column and row of the highest pixel of each map at its size (width, height), and its value.

    The maps have a rim of `REACH` pixels.
    """
    across, down = (readings(sizes[:, axis], maps.shape[1] - 2 * REACH) for axis in (0, 1))
    with torch.autocast(maps.device.type, enabled=False):  # products in half precision would move peaks
        taller = (down @ maps.flatten(2)).unflatten(2, maps.shape[2:])
        enlarged = (taller.flatten(1, 2) @ across.mT).unflatten(1, taller.shape[1:3])
    values, y = enlarged.amax(dim=3).max(dim=1)
    x = enlarged.gather(1, y[:, None, :, None].expand(-1, -1, -1, enlarged.shape[3]))[:, 0].argmax(dim=2)
    return torch.stack([x, y], dim=2).minimum(sizes[:, None] - 1), values


def readings(sizes: Int64[Tensor, " R"], side: int) -> Float[Tensor, "R N M"]:
    """How much each of `size` pixels reads of `side` pixels and of a rim of `REACH` more.

    N is the largest of the sizes; of smaller ones the last pixel is repeated.
    """
    pixels = torch.arange(int(sizes.max()), device=sizes.device).minimum(sizes[:, None] - 1)
    places = (pixels + 0.5) * (side / sizes[:, None]) - 0.5
    return bicubic(places[..., None] - torch.arange(-REACH, side + REACH, device=sizes.device))


def bicubic(distances: Float[Tensor, "*N"]) -> Float[Tensor, "*N"]:
    """The weight of a pixel at some distance (Keys 1981)."""
    x, a = distances.abs(), SHARPNESS
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x <= 1, near, torch.where(x < REACH, far, 0.0))


def together(sizes: Int64[Tensor, "R 2"], joints: int, most: int) -> Iterator[Int64[Tensor, " _"]]:
    """Rows of similar size, as many at a time as have `most` pixels in all once each is as large as the largest."""
    order = sizes.prod(dim=1).argsort()
    first, width, height = 0, 0, 0
    for place, (own_width, own_height) in enumerate(sizes[order].tolist()):
        width, height = max(width, own_width), max(height, own_height)
        if place > first and (place + 1 - first) * joints * width * height > most:
            yield order[first:place]
            first, width, height = place, own_width, own_height
    if len(order):
        yield order[first:]
