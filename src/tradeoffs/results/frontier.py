"""The Pareto frontier: who is not beaten in one respect without being better in the other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray


def on_frontier(costs: Float64[ndarray, " N"], gains: Float64[ndarray, " N"]) -> Bool[ndarray, " N"]:
    """Whom no other one beats: none is as good in both and better in one.

    Lower costs and higher gains are better. Of points that are equal in both, all are on it or none. A point without
    one of its numbers is not on it, and beats nobody.
    """
    known = np.isfinite(costs) & np.isfinite(gains)
    order = np.lexsort((-gains, costs))
    order = order[known[order]]
    cost, gain = costs[order], gains[order]
    cheaper = np.searchsorted(cost, cost, side="left")  # how many cost less
    best = np.concatenate([[-np.inf], np.maximum.accumulate(gain)])
    best_of_cost = gain[cheaper] if len(order) else gain
    result = np.zeros(len(costs), dtype=bool)
    result[order] = (gain == best_of_cost) & (gain > best[cheaper])
    return result


def surely_beaten(
    costs: Float64[ndarray, "N 2"], gains: Float64[ndarray, "N 2"], chunk: int = 1000
) -> Bool[ndarray, " N"]:
    """Whom another one beats for sure: its interval (low, high) of the gain lies above, its cost is not higher.

    nan for a bound that is not known overlaps with all.
    """
    result = np.zeros(len(costs), dtype=bool)
    for start in range(0, len(costs), chunk):
        part = slice(start, start + chunk)
        cheaper = costs[None, :, 1] <= costs[part, None, 0]
        better = gains[None, :, 0] > gains[part, None, 1]
        result[part] = (cheaper & better).any(axis=1)
    return result
