"""Pictures whose pixels are numbers of objects: 0 is background, each other number one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy import ndarray
from PIL import Image

from tradeoffs.data.pixels import NOT_DECODABLE, TURNS, ImageSize, size_of
from tradeoffs.errors import UserError

LOSSLESS = ("PNG", "TIFF", "BMP", "GIF", "PPM")
VOID = 255  # the border between objects, and what is of no object, in VOC's masks
MOST_COUNTED = 63  # objects are counted from 1; larger numbers are levels of grey, chosen to be told apart

# Pixels between two values, as a share of all steps: at most 0.014 in index pictures of real photos, 0.055 and more
# in soft ones. Fewer than the number may be thin objects.
BLENDED_SHARE, BLENDED_NUMBER = 0.04, 16


@contextmanager
def open_values(path: Path, what: str) -> Iterator[Image.Image]:
    """A picture whose pixels are numbers, of each `what` one.

    Raises UserError for a file that cannot be read, here or within, or that is no single lossless picture as it is.
    """
    try:
        with Image.open(path) as image:
            if image.format not in LOSSLESS:
                raise UserError(f"{path} is a {image.format} file, which changes the number of each {what}; use PNG")
            if (pages := getattr(image, "n_frames", 1)) > 1:
                raise UserError(f"{path} has {pages} pages; expected one picture with a number for each {what}")
            if size_of(image).orientation > 1:
                raise UserError(f"{path} has an EXIF orientation; save it without, in the photo's stored pixels")
            yield image
    except NOT_DECODABLE as error:
        raise UserError(f"cannot read the numbers of each {what} in {path}: {error}") from None


def read_index_mask(path: Path, size: ImageSize, upright: bool = False) -> ndarray:
    """The numbers, `H W`, exact up to 16 bits, of the photo's stored pixels.

    `size` is the photo's. `upright` says that the mask was made on the photo as its EXIF orientation shows it. Raises
    UserError for a file that cannot be read, whose pixels are no numbers, or that is of another size than the photo.
    """
    with open_values(path, "object") as image:
        numbers = _numbers(np.array(image), image, path)
    width, height = size.upright if upright else (size.width, size.height)
    if numbers.shape != (height, width):
        found = f"{numbers.shape[1]} x {numbers.shape[0]}"
        raise UserError(f"{path} is of {found} pixels, its photo of {width} x {height}; they must agree")
    _require_sharp(numbers, path)
    return np.ascontiguousarray(_stored(numbers, size.orientation) if upright else numbers)


def mask_size(path: Path) -> tuple[int, int]:
    """Width and height, from the file's header."""
    try:
        with Image.open(path) as image:
            return size_of(image)[:2]
    except NOT_DECODABLE as error:
        raise UserError(f"cannot read the mask {path}: {error}") from None


def _numbers(pixels: ndarray, image: Image.Image, path: Path) -> ndarray:
    if image.mode in ("RGB", "RGBA", "LA"):
        grey = pixels[..., 0]
        colours = pixels[..., : 3 if image.mode != "LA" else 1]
        if (colours != grey[..., None]).any():
            raise UserError(f"{path} is a {image.mode} picture; a mask is a grey or palette PNG of object numbers")
        return grey
    if pixels.ndim != 2 or pixels.dtype.kind not in "bui" or pixels.min(initial=0) < 0:
        raise UserError(f"{path} is a {image.mode} picture; a mask is a grey or palette PNG of object numbers")
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def _require_sharp(numbers: ndarray, path: Path) -> None:
    """Soft edges, of smoothing, resizing or JPEG, step through values in between, which are no objects."""
    values = numbers.astype(np.int32)
    blended = edges = 0
    for rows in (values, values.T):
        steps = np.sign(np.diff(rows, axis=1))
        edges += np.count_nonzero(steps)
        blended += np.count_nonzero((steps[:, 1:] == steps[:, :-1]) & (steps[:, 1:] != 0))
    if blended >= max(BLENDED_NUMBER, BLENDED_SHARE * edges):
        count = np.count_nonzero(np.unique(numbers))
        raise UserError(
            f"{path} has soft edges: {count} values, most of them between two others; save it without smoothing, "
            "so that each value is one object"
        )


def _stored(numbers: ndarray, orientation: int) -> ndarray:
    """What EXIF's orientation does to a photo, undone."""
    swap, rows, columns = TURNS.get(orientation, (0, 0, 0))
    numbers = numbers[:: -1 if rows else 1, :: -1 if columns else 1]
    return numbers.T if swap else numbers


def object_numbers(numbers: ndarray) -> tuple[list[int], bool]:
    """The numbers of objects, and whether 255 is there for the border: where the others count from 1, as in VOC's."""
    found = [int(number) for number in np.unique(numbers) if number]
    others = [number for number in found if number != VOID]
    has_border = VOID in found and bool(others) and max(others) <= MOST_COUNTED
    return (others if has_border else found), has_border


def number_pieces(inside: ndarray) -> ndarray:
    """Each piece of what is True gets a number of its own, from 1; pixels that touch at a corner are one piece."""
    return cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)[1]


def has_object_border(numbers: ndarray) -> bool:
    """Whether most pixels at the picture's border are of one number, as if that were the background."""
    border = np.concatenate([numbers[0], numbers[-1], numbers[1:-1, 0], numbers[1:-1, -1]])
    number, count = np.unique(border, return_counts=True)
    return bool(number[count.argmax()] != 0 and 2 * count.max() > len(border))
