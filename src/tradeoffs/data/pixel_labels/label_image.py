"""One label image: the value of each pixel, and one mask for each class that it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int64
from numpy import ndarray
from PIL import Image

from tradeoffs.data.convert.index_masks import open_values
from tradeoffs.data.pixel_labels.classes import UNKNOWN, Classes
from tradeoffs.data.pixels import ImageSize
from tradeoffs.data.run_lengths import masks_of_values
from tradeoffs.data.segmentation import MOST_CLASSES
from tradeoffs.errors import UserError

INDEX_MODES = ("1", "L", "P", "I;16", "I;16B", "I")
COLOUR_MODES = ("RGB", "RGBA")


def read_values(path: Path, size: ImageSize, classes: Classes) -> Int64[ndarray, "H W"]:
    """The value of each pixel. Of a file with a palette it is the index, unless colours were given for the classes.

    Raises UserError for a file that cannot be read, that is of another size than its image, whose format changes
    values, or whose colours nobody knows.
    """
    with open_values(path, "class") as image:
        if image.size != (size.width, size.height):
            hint = "; the image is turned by EXIF" if image.size == size.upright else ""
            found, expected = f"{image.width} x {image.height}", f"{size.width} x {size.height}"
            raise UserError(f"{path} is of {found} pixels, its image of {expected}; they must agree{hint}")
        return _values(image, path, classes)


def _values(image: Image.Image, path: Path, classes: Classes) -> Int64[ndarray, "H W"]:
    if image.mode in INDEX_MODES and not (image.mode == "P" and classes.colours):
        return np.asarray(image).astype(np.int64)
    if image.mode not in (*COLOUR_MODES, "P"):
        raise UserError(f"{path} has pixels of mode {image.mode}; expected one value for each pixel, or RGB")
    colours = np.asarray(image.convert("RGB"))
    if not classes.colours:
        raise UserError(
            f"{path} is coloured, and nothing says which class a colour is; give data.source.classes=FILE with a "
            "line NAME,RED,GREEN,BLUE for each"
        )
    values = classes.values_of(colours)
    if (values == UNKNOWN).any():
        red, green, blue = colours[values == UNKNOWN][0].tolist()
        count = int((values == UNKNOWN).sum())
        raise UserError(f"{path} has {count} pixels of colours that are no class; the first is {red},{green},{blue}")
    return values


def masks_of(values: Int64[ndarray, "H W"], classes: Classes, path: Path) -> dict[int, dict]:
    """By the value of each class that occurs: a COCO annotation without ids.

    Raises UserError for a value that is no class and not ignored.
    """
    present = [value for value in np.unique(values).tolist() if value not in classes.ignored]
    if classes.names and (odd := [value for value in present if value not in classes.names]):
        count = int(np.isin(values, odd).sum())
        left_out = ",".join(map(str, sorted({*classes.ignored, *odd})))
        raise UserError(
            f"{path} has {count} pixels of the value {odd[0]}, which is none of the {len(classes.names)} classes; name "
            f"it in data.source.classes, or leave it out by data.source.ignore=[{left_out}]"
        )
    if len(present) > MOST_CLASSES:
        raise UserError(
            f"{path} has {len(present)} values; at most {MOST_CLASSES} classes are told apart; is it a photo?"
        )
    masks = masks_of_values(values, present)
    return {value: {**mask, "iscrowd": 0} for value, mask in zip(present, masks, strict=True)}
