"""Windows of a few sizes and shapes at regular places, whatever the image shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8
from numpy import ndarray
from torch import Tensor

from tradeoffs.proposals.proposer import Proposed, ranked


@dataclass(frozen=True)
class SlidingWindow:
    """Larger windows come first, those of one size row by row. Each lies wholly in the image; those of a size cover it.

    Args:
        scales: Sides of square windows, as parts of the image's shorter side. Others have the same area, but where the
            image is too small for them.
        ratios: Height / width.
        stride: The distance between two neighbours, at most, as a part of the window's side.
    """

    scales: Sequence[float] = (1.0, 0.71, 0.5, 0.35, 0.25, 0.18, 0.125)
    ratios: Sequence[float] = (0.5, 1.0, 2.0)
    stride: float = 0.5

    name = "sliding_window"
    device = "cpu"

    @property
    def identity(self) -> dict[str, Any]:
        return {"name": self.name, **asdict(self)}

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed:
        height, width = image.shape[1:]
        sizes = {self._size(scale, ratio, height, width) for scale in self.scales for ratio in self.ratios}
        in_order = sorted(sizes, key=lambda size: (-size[0] * size[1], size))
        return ranked(np.concatenate([windows(*size, height, width, self.stride) for size in in_order]))

    def _size(self, scale: float, ratio: float, height: int, width: int) -> tuple[float, float]:
        """Height and width of a window, no less than a pixel and no more than the image."""
        side = scale * min(height, width)
        sides = side * math.sqrt(ratio), side / math.sqrt(ratio)
        return min(max(sides[0], 1.0), height), min(max(sides[1], 1.0), width)


def windows(
    window_height: float, window_width: float, height: int, width: int, stride: float
) -> Float64[ndarray, "N 4"]:
    """Of one size, from border to border of the image."""
    top, left = np.meshgrid(starts(window_height, height, stride), starts(window_width, width, stride), indexing="ij")
    boxes = np.stack([left, top, left + window_width, top + window_height], axis=-1).reshape(-1, 4)
    return np.minimum(boxes, [width, height, width, height])  # what was rounded


def starts(window: float, side: int, stride: float) -> Float64[ndarray, " N"]:
    """Of windows along one side of the image, the first at its beginning and the last at its end."""
    room = side - window
    return np.linspace(0, room, 1 + math.ceil(room / (stride * window)))
