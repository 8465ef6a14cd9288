"""The class of a whole image, written onto it."""

from __future__ import annotations

import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.pictures.draw import draw_boxes


def draw_label(
    image: UInt8[Tensor, "3 H W"], label: str, score: float, truth: str | None = None, scale: float = 1.0
) -> UInt8[Tensor, "3 H2 W2"]:
    """The image `scale` times as large with a frame and what it was taken for, and, where that is wrong, the truth.

    `truth` is None where nobody knows it.
    """
    frame = torch.tensor([[0.0, 0.0, image.shape[2], image.shape[1]]])
    known = {} if truth is None else {"truth": frame, "truth_labels": [truth]}
    return draw_boxes(image, frame, [label], torch.tensor([score]), scale=scale, **known)
