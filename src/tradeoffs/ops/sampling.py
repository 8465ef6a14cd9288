"""Which reference boxes a loss looks at."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
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


def balanced(
    positive: Bool[Tensor, "B A"], negative: Bool[Tensor, "B A"], count: int, fraction: float
) -> Bool[Tensor, "B A"]:
    """`count` boxes of each image at random, at most `fraction` of them positive, the others negative.

    Fewer where there are not enough negatives (Ren et al. 2015, section 3.1.3; Girshick 2015, section 2.3).
    """
    positive = at_random(positive, torch.full_like(positive[:, :1], int(count * fraction), dtype=torch.int64), count)
    return positive | at_random(negative, count - positive.sum(dim=1, keepdim=True), count)


def at_random(candidates: Bool[Tensor, "B A"], wanted: Int64[Tensor, "B 1"], most: int) -> Bool[Tensor, "B A"]:
    """`wanted` of each image's candidates (all where there are fewer); no image wants more than `most`."""
    keys = torch.rand(candidates.shape, device=candidates.device).masked_fill(~candidates, -1.0)
    order = keys.topk(min(most, keys.shape[1]), dim=1).indices
    rank = torch.arange(order.shape[1], device=order.device)
    return torch.zeros_like(candidates).scatter_(1, order, rank < wanted) & candidates


def first_rows(chosen: Bool[Tensor, "B A"], count: int) -> tuple[Int64[Tensor, "B count"], Bool[Tensor, "B count"]]:
    """The indices of the first `count` chosen rows of each image, and which of them are real.

    Where there are fewer, the first one fills up: mask it, but what passes through a network is what could be chosen.
    An image without any is filled with its first rows.
    """
    order = chosen.to(torch.uint8).argsort(dim=1, descending=True, stable=True)[:, :count]
    real = chosen.gather(1, order)
    return torch.where(real | ~real[:, :1], order, order[:, :1]), real
