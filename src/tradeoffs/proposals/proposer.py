"""What proposes regions of an image in which there may be an object."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Real, UInt8
from numpy import ndarray
from torch import Tensor


class Proposed(NamedTuple):
    """Regions of one image, best first."""

    boxes: Float32[ndarray, "N 4"]  # xyxy in pixels of the image
    scores: Float32[ndarray, " N"]  # falling

    def first(self, most: int | None) -> Proposed:
        """The best `most`, or all."""
        return Proposed(self.boxes[:most], self.scores[:most])


@runtime_checkable
class Proposer(Protocol):
    """An algorithm with its options. It proposes the same for the same image, at any time, in any thread."""

    name: str  # of the algorithm, as in conf/proposals
    device: str  # where it computes: cpu, cuda, ...

    @property
    def identity(self) -> dict[str, Any]:
        """Name, options, versions: plain values on which what is proposed depends."""

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed: ...


def ranked(boxes: Real[ndarray, "N 4"]) -> Proposed:
    """Boxes that are in order already, of an algorithm without scores of its own: these fall from 1 to 0."""
    return Proposed(boxes.astype(np.float32), np.linspace(1, 0, len(boxes), dtype=np.float32))


def corners(boxes: Real[ndarray, "N 4"]) -> Real[ndarray, "N 4"]:
    """x, y, width, height, as OpenCV gives them, as xyxy."""
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
