"""Masks as COCO keeps them: run-length codes. Without torch, so that converters answer at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Integer
from numpy import ndarray
from pycocotools import mask as rle


def encode(segmentation: list | dict | None, height: int, width: int) -> dict | None:
    """Polygons or runs as one compressed run-length code, None where there is nothing."""
    if isinstance(segmentation, list):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
        return rle.merge(rle.frPyObjects(polygons, height, width)) if polygons else None
    if segmentation and isinstance(segmentation["counts"], list):
        return rle.frPyObjects(segmentation, height, width)
    return segmentation


def masks_of_values(values: Integer[ndarray, "H W"], wanted: Sequence[int]) -> list[dict]:
    """The pixels of each value, as COCO's compressed run-length code, with their box and area.

    One after the other: all masks of a large photo at once could take a gigabyte.
    """
    codes = [rle.encode(np.asfortranarray(values == value, np.uint8)) for value in wanted]
    boxes, areas = rle.toBbox(codes).tolist(), rle.area(codes).tolist()
    return [
        {"segmentation": {"size": code["size"], "counts": code["counts"].decode()}, "bbox": box, "area": area}
        for code, box, area in zip(codes, boxes, areas, strict=True)
    ]
