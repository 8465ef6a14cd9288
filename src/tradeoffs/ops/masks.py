"""Binary masks with eight pixels of a row in a byte, the first in the highest bit (as numpy packs bits).

Masks of all objects of a batch as one byte a pixel take more memory than the images and the network: 100 objects in
each of 8 images of 1024 pixels are 0.8 GB, packed 0.1 GB. Nothing is lost, and part of a mask is cheaply unpacked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torchvision.ops import roi_align

AT_ONCE = 2**24  # pixels of whole masks that are made together: 64 MB of floats
LIKELY = 0.5  # probability above which a pixel belongs to an object


def pack(masks: UInt8[Tensor, "*N W"] | Bool[Tensor, "*N W"]) -> UInt8[Tensor, "*N W8"]:
    """Of masks of 0 and 1; a last byte that is not full ends in zeros."""
    if masks.device.type == "cpu":
        return torch.from_numpy(np.packbits(masks.numpy(), axis=-1))
    return bytes_of(masks)


def bytes_of(masks: UInt8[Tensor, "*N W"] | Bool[Tensor, "*N W"]) -> UInt8[Tensor, "*N W8"]:
    """The same on any device; numpy is faster on the CPU."""
    bits = F.pad(masks.to(torch.uint8), (0, -masks.shape[-1] % 8)).unflatten(-1, (-1, 8))
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=masks.device)
    return bits.bitwise_left_shift(shifts).sum(dim=-1, dtype=torch.uint8)


def unpack(packed: UInt8[Tensor, "*N W8"], width: int) -> UInt8[Tensor, "*N W"]:
    """Masks of 0 and 1, as wide as they were."""
    shifts = torch.arange(7, -1, -1, dtype=torch.uint8, device=packed.device)
    return (packed[..., None].bitwise_right_shift(shifts) & 1).flatten(-2)[..., :width]


def cut_out(
    packed: UInt8[Tensor, "B N H W8"],
    objects: Int64[Tensor, "B P"],
    boxes: Float[Tensor, "B P 4"],
    width: int,
    side: int,
) -> Float[Tensor, "B*P side side"]:
    """What is seen of each object's mask in a box, as `side` x `side` parts of 1: RoIAlign, as torchvision has it.

    Masks of `width` pixels are unpacked few at a time.
    """
    rows = (objects + packed.shape[1] * torch.arange(len(packed), device=packed.device)[:, None]).flatten()
    whole, boxes = packed.flatten(0, 1), boxes.detach().float().flatten(0, 1)
    parts = []
    for part in parts_of(len(rows), packed.shape[2] * width):
        masks = unpack(whole[rows[part]], width).float()
        regions = torch.cat([torch.arange(len(masks), device=boxes.device)[:, None], boxes[part]], dim=1)
        parts.append(roi_align(masks[:, None], regions, side)[:, 0])
    return torch.cat(parts)


def paste(
    masks: Float[Tensor, "N M M2"], boxes: Float[Tensor, "N 4"], image_size: tuple[int, int]
) -> Iterator[Bool[Tensor, "_ H W"]]:
    """Masks that are spread over boxes as masks of an image, few at a time: where the probability is above a half.

    As in torchvision, a mask has a rim of zeros, its box becomes whole pixels, and between pixels the mask is read
    bilinearly: a weighted sum of rows, then of columns. What lies outside the image is cut off.
    """
    height, width = image_size
    masks, boxes = F.pad(masks.float(), (1, 1, 1, 1)), boxes.float()
    rows, columns = masks.shape[-2:]
    x, y = boxes[:, 0::2], boxes[:, 1::2]
    for part in parts_of(len(masks), height * width):
        down, across = reading(y[part], rows, height), reading(x[part], columns, width)
        with torch.autocast(masks.device.type, enabled=False):  # products in half precision would move borders
            whole = down @ masks[part] @ across.mT
        yield whole > LIKELY


def reading(ends: Float[Tensor, "N 2"], count: int, length: int) -> Float[Tensor, "N length count"]:
    """How much of each of `count` values, a rim of one on each side included, is read at each of `length` pixels.

    The values without their rim lie between the `ends`.
    """
    middle, half = ends.mean(dim=1, keepdim=True), (ends[:, 1:] - ends[:, :1]) / 2 * (count / (count - 2))
    first, last = (middle - half).trunc(), (middle + half).trunc()  # towards 0, as a cast to whole numbers does
    pixels = torch.arange(length, device=ends.device)
    place = (pixels - first + 0.5) * count / (last - first + 1).clamp(min=1) - 0.5
    place = place.clamp(0, count - 1)[..., None]
    weights = (1 - (place - torch.arange(count, device=ends.device)).abs()).clamp(min=0)
    return weights * ((pixels >= first) & (pixels <= last))[..., None]


def parts_of(count: int, pixels: int) -> Iterator[slice]:
    """All of `count` masks of so many pixels, as many at a time as there is room for."""
    step = max(1, AT_ONCE // pixels)
    return (slice(first, first + step) for first in range(0, count, step))
