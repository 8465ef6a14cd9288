"""The one place where files become pixels: for the reader, the check, the converters and predictions alike.

- Pixels are those that are stored. An EXIF orientation, of TIFF files too, is followed only where that is asked for.
- 16 bits become 8 by their high byte, whatever the type of the file. Floats and 32-bit integers are refused: nobody can
  tell which of their values is black or white.
- Transparency is left out, not painted over: what is stored below it is seen.
- Of several frames or pages the first one is read.
"""

from __future__ import annotations

import io
import struct
import warnings
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from tradeoffs.errors import UserError

# What the last bytes of a whole file hold. Entropy-coded JPEG data cannot contain its end marker by chance.
END_MARKERS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
TAIL = 32

# What Pillow's decoders raise for damaged files, of which it catches but a part itself.
NOT_DECODABLE = (
    *(OSError, ValueError, SyntaxError, TypeError, RuntimeError, EOFError, LookupError, ArithmeticError),
    *(struct.error, Image.DecompressionBombError),
)

# First bytes of files that are taken for photos, though nothing here reads them.
HEIC = "it is a HEIC photo, which is not read; save it as JPEG"
TIFF = "it is a TIFF file that is damaged or of a kind that is not read; save it with 8 or 16 bits a channel"
HEADS = {
    b"ftyphe": HEIC,
    b"ftypmif1": HEIC,
    b"version https://git-lfs": "it is a pointer of Git LFS; fetch the photos by: git lfs pull",
    b"<": "it is a text, a web page perhaps, not an image",
    b"II*": TIFF,
    b"MM\0*": TIFF,
}
DRAWINGS = ("EPS", "WMF", "EMF")  # which other programs would have to draw

ORIENTATION, WIDTH, HEIGHT, BITS, PHOTOMETRIC = 0x112, 0x100, 0x101, 0x102, 0x106  # tags of EXIF and TIFF

# EXIF orientation -> whether rows and columns change places, and then whether rows and columns run backwards.
TURNS = {2: (0, 0, 1), 3: (0, 1, 1), 4: (0, 1, 0), 5: (1, 0, 0), 6: (1, 0, 1), 7: (1, 1, 1), 8: (1, 1, 0)}

EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
UNKNOWN_RANGE = {"F": "floats", "I": "32-bit or signed integers"}

# With a line of its source Pillow warns of large photos and of damaged tags. What it cannot read raises all the same.
warnings.filterwarnings("ignore", module=r"PIL\.")


class ImageSize(NamedTuple):
    """Of the stored pixels; `orientation` is EXIF's number, 1 where there is none."""

    width: int
    height: int
    orientation: int = 1

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as a viewer shows it that follows the orientation."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def read_pixels(path: Path, upright: bool = False) -> UInt8[ndarray, "H W 3"]:
    """RGB, turned as its EXIF orientation says if `upright`.

    Raises UserError naming the file where it is missing, truncated, not an image, or of pixels without a known range.
    """
    try:
        return _decode(path.read_bytes(), upright)
    except FileNotFoundError:
        raise UserError(f"there is no image {path}") from None
    except UserError as refusal:
        raise UserError(f"cannot read the image {path}: {refusal}") from None
    except NOT_DECODABLE as error:
        reason = reason_of(error, path) or "it is truncated or not an image"
        raise UserError(f"cannot read the image {path}: {reason}") from error


def image_size(path: Path) -> ImageSize:
    """From the file's header alone. Raises UserError as `read_pixels` does, but for a file that is cut off."""
    try:
        with Image.open(path) as image:
            if refusal := refusal_of(image):
                raise UserError(f"cannot read the image {path}: {refusal}")
            return size_of(image)
    except FileNotFoundError:
        raise UserError(f"there is no image {path}") from None
    except NOT_DECODABLE as error:
        reason = reason_of(error, path) or "it is not an image"
        raise UserError(f"cannot read the image {path}: {reason}") from None


def reason_of(error: Exception, path: Path) -> str | None:
    """Why a file could not be read or decoded, where more is known than that it is damaged or no image."""
    if isinstance(error, OSError) and error.strerror:  # of the file system
        return error.strerror
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels; make it smaller or cut it into pieces"
    if not isinstance(error, Image.UnidentifiedImageError):
        return None
    with suppress(OSError, ValueError), path.open("rb") as file:
        head = file.read(TAIL)
        if not head:
            return "it is empty"
        known = (what for start, what in HEADS.items() if head.startswith(start) or head.startswith(start, 4))
        return next(known, None)
    return None


def size_of(image: Image.Image) -> ImageSize:
    """Of an image that is open, but whose pixels are not loaded yet."""
    tags = getattr(image, "tag_v2", None)
    if tags:  # Pillow turns TIFF files upright as it loads them
        return ImageSize(tags[WIDTH], tags[HEIGHT], _known(tags.get(ORIENTATION)))
    return ImageSize(*image.size, _orientation(image.info.get("exif")))


def refusal_of(image: Image.Image) -> str | None:
    """Why the pixels of an open image cannot be taken; None if they can. Its header is enough."""
    if image.format in DRAWINGS:
        return f"it is a drawing ({image.format}), not a photo; save it as PNG"
    if image.mode in EIGHT_BITS or is_16_bit(image):
        return None
    kind = UNKNOWN_RANGE.get(image.mode, "of a kind that is not read")
    return f"its pixels are {kind} (mode {image.mode}); save it with 8 or 16 bits a channel"


def has_end(image_format: str | None, tail: bytes) -> bool:
    """Whether the last bytes of a file prove that nothing is missing."""
    marker = END_MARKERS.get(image_format or "")
    return marker is not None and marker in tail


def to_rgb(image: Image.Image) -> UInt8[ndarray, "H W 3"]:
    """Any image of Pillow's as it is. Raises UserError where its pixels have no known range."""
    if refusal := refusal_of(image):
        raise UserError(refusal)
    if is_16_bit(image):
        grey = _high_byte(image)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" in image.info:  # Pillow would complain about it as it leaves it out
        image = image.copy()
        del image.info["transparency"]
    return np.array(image.convert("RGB"))


def _decode(data: bytes, upright: bool) -> UInt8[ndarray, "H W 3"]:
    """OpenCV is the fastest, but may fill up a file that is cut off; Pillow is strict and knows more formats."""
    with Image.open(io.BytesIO(data)) as image:
        orientation = size_of(image).orientation
        pixels = _by_opencv(data) if _is_plain(image, data[-TAIL:]) else None
        if pixels is None:
            pixels = to_rgb(image)
            if hasattr(image, "tag_v2"):
                pixels = _turned_back(pixels, orientation)
    return np.ascontiguousarray(_turned(pixels, orientation)) if upright else np.ascontiguousarray(pixels)


def _is_plain(image: Image.Image, tail: bytes) -> bool:
    """A whole file of a kind that both libraries decode to the same pixels."""
    animated = image.format == "PNG" and getattr(image, "is_animated", False)
    return has_end(image.format, tail) and image.mode != "CMYK" and not animated


def _by_opencv(data: bytes) -> UInt8[ndarray, "H W 3"] | None:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def is_16_bit(image: Image.Image) -> bool:
    """Grey values of 16 bits; of colours Pillow itself takes the high byte."""
    return image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _high_byte(image: Image.Image) -> UInt8[ndarray, "H W"]:
    """Of 12 bits, which TIFF files may have, the highest eight. There 0 may stand for white, too."""
    tags = getattr(image, "tag_v2", None) or {}
    bits, white_is_zero = tags.get(BITS, (16,))[0], tags.get(PHOTOMETRIC) == 0
    grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return 255 - grey if white_is_zero else grey


def _turned(pixels: ndarray, orientation: int) -> ndarray:
    swap, rows, columns = TURNS.get(orientation, (0, 0, 0))
    pixels = pixels.transpose(1, 0, 2) if swap else pixels
    return pixels[:: -1 if rows else 1, :: -1 if columns else 1]


def _turned_back(pixels: ndarray, orientation: int) -> ndarray:
    swap, rows, columns = TURNS.get(orientation, (0, 0, 0))
    pixels = pixels[:: -1 if rows else 1, :: -1 if columns else 1]
    return pixels.transpose(1, 0, 2) if swap else pixels


def _orientation(exif: bytes | None) -> int:
    """A viewer shows a photo whose EXIF data are damaged as if it had none."""
    if not exif:
        return 1
    content = Image.Exif()
    try:
        content.load(exif)
        return _known(content.get(ORIENTATION))
    except (*NOT_DECODABLE, struct.error, KeyError, TypeError):
        return 1


def _known(orientation: object) -> int:
    return orientation if isinstance(orientation, int) and orientation in TURNS else 1
