"""Reads one image file as RGB."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from tradeoffs.data.image_check import END_MARKERS, NOT_DECODABLE, TAIL
from tradeoffs.errors import UserError

PIXELS_AS_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def read_image(path: Path, upright: bool = False) -> UInt8[Tensor, "3 H W"]:
    """RGB pixels, whatever the file holds: grey, palette, alpha, CMYK, 16 bits, the first frame of an animation.

    An EXIF orientation is followed only if `upright`: COCO's annotations are made on the pixels as they are stored.
    Raises UserError naming the file where it is missing, truncated or not an image.
    """
    try:
        return torch.from_numpy(_decode(path.read_bytes(), upright)).permute(2, 0, 1)
    except FileNotFoundError:
        raise UserError(f"there is no image {path}") from None
    except NOT_DECODABLE as error:
        raise UserError(f"cannot read the image {path}: it is truncated or not an image") from error


def _decode(data: bytes, upright: bool) -> UInt8[np.ndarray, "H W 3"]:
    """OpenCV is the fastest, but may fill up a file that is cut off; Pillow is strict and knows more formats."""
    if any(marker in data[-TAIL:] for marker in END_MARKERS.values()):
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR if upright else PIXELS_AS_STORED)
        if pixels is not None:
            return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    with Image.open(io.BytesIO(data)) as image:
        return np.array((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))
