"""Masks of what was found as COCO's run-length codes, in pixels of the original images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypedDict

import torch
from jaxtyping import Bool, Float, UInt8
from pycocotools import mask as rle
from torch import Tensor

from tradeoffs.ops.masks import paste
from tradeoffs.structures import Batch, Instances, originals


class RunLengths(TypedDict):
    size: list[int]  # height, width
    counts: str


def segments(found: Instances, batch: Batch, wanted: Bool[Tensor, "B D"]) -> list[list[RunLengths]]:
    """Of each image, the masks of the `wanted` of its instances. Dense masks leave memory few at a time."""
    boxes = originals(found.boxes, batch, cut=False)
    return [
        run_lengths(found.masks[row][wanted[row]], boxes[row][wanted[row]], tuple(size))
        for row, size in enumerate(batch.original_sizes.tolist())
    ]


def run_lengths(
    masks: Float[Tensor, "N M M2"], boxes: Float[Tensor, "N 4"], image_size: tuple[int, int]
) -> list[RunLengths]:
    """Masks that are spread over boxes, pasted into an image.

    Codes run down the columns, so that the mirror image (x and y changed) lies in memory as they are made from it.
    """
    turned = boxes.unflatten(-1, (2, 2)).flip(-1).flatten(-2)
    codes = [
        code
        for part in paste(masks.mT, turned, image_size[::-1])
        for code in rle.encode(part.to(torch.uint8).cpu().numpy().transpose(2, 1, 0))
    ]
    return [{"size": list(code["size"]), "counts": code["counts"].decode()} for code in codes]


def decoded(codes: Iterable[RunLengths]) -> Iterator[UInt8[Tensor, "H W"]]:
    """One mask of 0 and 1 after the other."""
    return (torch.from_numpy(rle.decode(code)) for code in codes)
