"""Masks of objects, laid over an image."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from tradeoffs.pictures.style import PALETTE

OPACITY = 0.45
NEIGHBOURS = np.ones((3, 3), np.uint8)


def draw_masks(
    image: UInt8[Tensor, "3 H W"],
    masks: Iterable[Bool[Tensor, "H W"] | UInt8[Tensor, "H W"]],
    classes: Iterable[int],
) -> UInt8[Tensor, "3 H W"]:
    """Each in the colour of its class, through which the image is seen, with a border; the last lies above others."""
    canvas = image.permute(1, 2, 0).cpu().numpy().copy()
    for mask, number in zip(masks, classes, strict=True):
        colour, flat = np.array(PALETTE[number % len(PALETTE)]), mask.to(torch.uint8).cpu().numpy()
        within = flat.astype(bool)
        border = within & ~cv2.erode(flat, NEIGHBOURS).astype(bool)
        canvas[within] = ((1 - OPACITY) * canvas[within] + OPACITY * colour).round()
        canvas[border] = colour
    return torch.from_numpy(canvas).permute(2, 0, 1).contiguous()
