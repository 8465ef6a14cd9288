"""Boxes as offsets from reference boxes (Girshick et al. 2014, appendix C; Ren et al. 2015, equation 2)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from tradeoffs.ops.boxes import from_centers, to_centers

# Huang et al. 2017, section 3.2, and its code: centre offsets times 10, log sizes times 5.
WEIGHTS = (10.0, 5.0)
# A box grows at most from 16 to 1000 pixels, so that exp() cannot overflow.
MAX_LOG_RATIO = math.log(1000 / 16)


def encode(
    boxes: Float[Tensor, "*N 4"], references: Float[Tensor, "*N 4"], weights: tuple[float, float] = WEIGHTS
) -> Float[Tensor, "*N 4"]:
    """Offsets that turn `references` into `boxes`: dx / w, dy / h, log(w' / w), log(h' / h), times `weights`."""
    centers, sizes = to_centers(boxes)
    reference_centers, reference_sizes = to_centers(references)
    shift, log_ratio = (centers - reference_centers) / reference_sizes, (sizes / reference_sizes).log()
    return torch.cat([weights[0] * shift, weights[1] * log_ratio], dim=-1)


def decode(
    offsets: Float[Tensor, "*N 4"], references: Float[Tensor, "*N 4"], weights: tuple[float, float] = WEIGHTS
) -> Float[Tensor, "*N 4"]:
    """The inverse of `encode`; sizes grow at most by 1000 / 16."""
    shift, log_ratio = offsets[..., :2] / weights[0], offsets[..., 2:] / weights[1]
    centers, sizes = to_centers(references)
    return from_centers(centers + shift * sizes, sizes * log_ratio.clamp(max=MAX_LOG_RATIO).exp())
