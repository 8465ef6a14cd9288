"""Masks of objects as COCO keeps them, and the label map that they make together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from numpy import ndarray
from pycocotools import mask as rle
from torch import Tensor

from tradeoffs.structures import IGNORED

BACKGROUND = "background"
MOST_CLASSES = IGNORED  # that a label map can tell apart


def background_of(names: Sequence[str]) -> int | None:
    """Its label, where one of the classes is called so."""
    return next((label for label, name in enumerate(names) if name.casefold() == BACKGROUND), None)


def label_of_unmarked(categories: Sequence[dict]) -> int:
    """What the pixels are that belong to no object, in label maps of a data set with these categories, by label.

    Where there is stuff, such as sky (`isthing: 0`, as in COCO's panoptic format), every pixel is labelled, and those
    of nothing are not scored (Kirillov et al. 2019, section 4). Elsewhere they are background: the class of that name,
    or one more than there are categories.
    """
    if any(category.get("isthing") in (0, False) for category in categories):
        return IGNORED
    background = background_of([str(category.get("name")) for category in categories])
    return len(categories) if background is None else background


def label_map_of(
    found: Sequence[dict], category_ids: Sequence[int], unmarked: int, height: int, width: int
) -> UInt8[Tensor, "H W"]:
    """What an image's predictions say of its pixels, each the mask of a class."""
    labels = np.array([category_ids.index(each["category_id"]) for each in found], np.int64)
    none = np.zeros(len(found), np.float32)
    return paint([each["segmentation"] for each in found], labels, none, unmarked, height, width)


def decode(encoded: Sequence[dict], height: int, width: int) -> UInt8[Tensor, "n H W"]:
    """0 or 1."""
    if not encoded:
        return torch.zeros(0, height, width, dtype=torch.uint8)
    return torch.from_numpy(np.ascontiguousarray(rle.decode(list(encoded)).transpose(2, 0, 1)))


def paint(
    encoded: Sequence[dict],
    labels: Int64[ndarray, " n"],
    areas: Float32[ndarray, " n"],
    unmarked: int,
    height: int,
    width: int,
) -> UInt8[Tensor, "H W"]:
    """The label of each pixel, `unmarked` where there is no object. Where objects overlap, the smaller one is seen.

    One mask after the other: all of a large photo at once could take a gigabyte.
    """
    canvas = np.full((height, width), unmarked, np.uint8)
    for place in np.argsort(-areas, kind="stable"):
        canvas[rle.decode(encoded[place]) == 1] = labels[place]
    return torch.from_numpy(canvas)
