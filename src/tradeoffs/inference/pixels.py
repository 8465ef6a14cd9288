"""RGB pixels of whatever an image is given as."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from tradeoffs.data.image_file import read_image
from tradeoffs.data.pixels import NOT_DECODABLE, to_rgb
from tradeoffs.errors import UserError
from tradeoffs.inference.address import at_hand

LAYOUT = "an array is H W 3 (RGB), H W 4 or H W, a tensor 3 H W, 4 H W or H W"
SIXTEEN_BITS = torch.uint16


def pixels_of(image: object) -> UInt8[Tensor, "3 H W"]:
    """RGB, upright. Nothing of it is shared with what is given.

    Args:
        image: The path or the address of a file, a PIL image, an array (H W 3, H W 4 or H W) or a tensor (3 H W, 4 H W
            or H W), of 8 bits or of 16, of which the high byte is taken, as of files. Transparency is left out.

    Raises UserError where it is none of these, or of numbers whose black and white are unknown.
    """
    match image:
        case str() | Path():
            with at_hand(image) as path:
                return read_image(Path(path), upright=True)
        case Image.Image():
            return _of_pillow(image)
        case np.ndarray():
            native = np.ascontiguousarray(image).astype(image.dtype.newbyteorder("="))  # a copy
            _require_whole_numbers(native.dtype)
            planes = torch.from_numpy(native)
            return _rgb(planes.permute(2, 0, 1) if planes.ndim == 3 else planes, tuple(image.shape))
        case Tensor():
            _require_whole_numbers(image.dtype)
            return _rgb(image.detach().to("cpu", copy=True), tuple(image.shape))
    raise UserError(f"a {type(image).__name__} is no image; give a path, an address, a PIL image, an array or a tensor")


def _of_pillow(image: Image.Image) -> UInt8[Tensor, "3 H W"]:
    try:
        upright = ImageOps.exif_transpose(image)
        upright.format = image.format  # which says what the mode I means
        return torch.from_numpy(to_rgb(upright)).permute(2, 0, 1)
    except NOT_DECODABLE as error:
        raise UserError(f"cannot read the PIL image {getattr(image, 'filename', '')}: {error}") from error


def _require_whole_numbers(dtype: np.dtype | torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    if name in ("uint8", "uint16"):
        return
    remedy = "numbers from 0 to 1 become such by (255 * image).round()" if "float" in name else "convert it"
    raise UserError(f"an image of {name} has no known black and white; give uint8, from 0 to 255: {remedy}")


def _rgb(planes: Tensor, given: tuple[int, ...]) -> UInt8[Tensor, "3 H W"]:
    planes = planes[None] if planes.ndim == 2 else planes
    if planes.ndim != 3 or len(planes) not in (1, 3, 4) or not planes.numel():
        raise UserError(f"an image of the shape {' '.join(map(str, given))} is impossible; {LAYOUT}")
    if planes.dtype == SIXTEEN_BITS:
        planes = (planes.to(torch.int32) >> 8).to(torch.uint8)
    return planes.expand(3, -1, -1) if len(planes) == 1 else planes[:3]
