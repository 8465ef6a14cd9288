"""A network that looks at large images through a window."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

Images = UInt8[Tensor, "B 3 H W"]
Logits = Float[Tensor, "B K _ _"]


def over_windows(scores: Callable[[Images], Logits], images: Images, side: int, overlap: float) -> Logits:
    """The mean of the scores of all windows that see a pixel, in pixels of the images. All crops are one batch."""
    height, width = (min(side, length) for length in images.shape[-2:])
    tops, lefts = (starts(length, side, overlap) for length in images.shape[-2:])
    places = [(top, left) for top in tops for left in lefts]
    crops = torch.cat([images[..., top : top + height, left : left + width] for top, left in places])
    logits = F.interpolate(scores(crops).float(), size=(height, width), mode="bilinear")
    total = logits.new_zeros(len(images), logits.shape[1], *images.shape[-2:])
    seen = logits.new_zeros(*images.shape[-2:])
    for (top, left), part in zip(places, logits.split(len(images)), strict=True):
        total[..., top : top + height, left : left + width] += part
        seen[top : top + height, left : left + width] += 1
    return total / seen


def starts(length: int, side: int, overlap: float) -> list[int]:
    """Where windows begin along a side of an image: evenly, from border to border, overlapping by `overlap` or more."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / max(side * (1 - overlap), 1)) + 1
    return [round(place * (length - side) / (count - 1)) for place in range(count)]
