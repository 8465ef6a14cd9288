"""Reads one image file as a tensor; `pixels` says how files become pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.data.pixels import read_pixels


def read_image(path: Path, upright: bool = False) -> UInt8[Tensor, "3 H W"]:
    """RGB pixels, whatever the file holds: grey, palette, alpha, CMYK, 16 bits, the first frame of an animation.

    An EXIF orientation is followed only if `upright`: COCO's annotations are made on the pixels as they are stored.
    Raises UserError naming the file where it is missing, truncated, not an image, or of floats.
    """
    return torch.from_numpy(read_pixels(path, upright)).permute(2, 0, 1)
