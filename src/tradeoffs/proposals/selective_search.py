"""Selective search: small segments are merged step by step, and the box around each is a region (Uijlings et al. 2013).

OpenCV's implementation. Its `fast` merges in 12 ways (2 colour spaces, 3 scales of segments, 2 similarities), its
`quality` in 100; the paper's have 8 and 80 (section 5.2).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch import Tensor

from tradeoffs.proposals.proposer import Proposed, corners, ranked

ORDER_SEED = 0


@dataclass(frozen=True)
class SelectiveSearch:
    """Photos whose `longest_side` is more pixels are shrunk before."""

    mode: Literal["fast", "quality"] = "fast"
    longest_side: int = 500

    name = "selective_search"
    device = "cpu"

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self), "opencv": cv2.__version__}

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed:
        bgr = np.ascontiguousarray(image.flip(0).permute(1, 2, 0).numpy())
        height, width = bgr.shape[:2]
        small = shrunk(bgr, self.longest_side)
        scale = np.array([width / small.shape[1], height / small.shape[0]] * 2)
        return ranked(in_random_hierarchy(corners(self._search(small))) * scale)

    def _search(self, bgr: UInt8[ndarray, "H W 3"]) -> Int[ndarray, "N 4"]:
        """x, y, width, height, in an order that is another one each time."""
        search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()  # it holds its image: one for each call
        search.setBaseImage(bgr)
        if self.mode == "fast":
            search.switchToSelectiveSearchFast()
        else:
            search.switchToSelectiveSearchQuality()
        return search.process()


def shrunk(image: UInt8[ndarray, "H W 3"], longest_side: int) -> UInt8[ndarray, "h w 3"]:
    """Never enlarged."""
    height, width = image.shape[:2]
    scale = longest_side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def in_random_hierarchy(boxes: Int[ndarray, "N 4"]) -> Int[ndarray, "M 4"]:
    """Different boxes, whatever their order was: larger ones tend to come first.

    The position in the hierarchy, from the top, times a random number (section 4.3, which orders by it so that large
    regions are not preferred too much). OpenCV does not tell the position, so the rank by area stands for it.
    """
    boxes = np.unique(boxes, axis=0)
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    boxes = boxes[np.argsort(-areas, kind="stable")]
    positions = np.arange(1, len(boxes) + 1) * np.random.default_rng(ORDER_SEED).random(len(boxes))
    return boxes[np.argsort(positions, kind="stable")]
