"""Which reference boxes a loss looks at."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def hard_negatives(
    losses: Float[Tensor, "B A"], positive: Bool[Tensor, "B A"], per_positive: float
) -> Bool[Tensor, "B A"]:
    """The negatives of highest loss in each image, `per_positive` for each positive (Liu et al. 2016, section 2.2)."""
    wanted = (per_positive * positive.sum(dim=1, keepdim=True)).long()
    order = losses.detach().masked_fill(positive, -torch.inf).argsort(dim=1, descending=True)
    rank = torch.arange(losses.shape[1], device=losses.device).expand_as(order)
    chosen = torch.zeros_like(positive).scatter_(1, order, rank < wanted)
    return chosen & ~positive
