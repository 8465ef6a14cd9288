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


def frontier_in_doubt(
    costs: Float64[ndarray, "N 3"],
    gains: Float64[ndarray, "N 3"],
    doubtful_costs: Bool[ndarray, " N"],
    doubtful_gains: Bool[ndarray, " N"],
) -> Bool[ndarray, " N"]:
    """The same of low, estimate and high, where some estimates are in doubt: these win only with their whole interval.

    So of two whose intervals overlap the one without doubt beats the other one, if it is as good in the other respect.
    """
    on = on_frontier(costs[:, 1], gains[:, 1])
    if not (doubtful_costs | doubtful_gains).any():
        return on
    known = np.flatnonzero(np.isfinite(costs[:, 1]) & np.isfinite(gains[:, 1]))
    axes = (costs, doubtful_costs), (-gains[:, ::-1], doubtful_gains)
    result = np.zeros(len(costs), dtype=bool)
    for one in known:
        pairs = [beating(axis[known], doubt[known], axis[one], bool(doubt[one])) for axis, doubt in axes]
        no_worse, better = (np.array(each) for each in zip(*pairs, strict=True))
        result[one] = not (no_worse.all(axis=0) & better.any(axis=0) & (known != one)).any()
    return result


def beating(
    others: Float64[ndarray, "N 3"], doubts: Bool[ndarray, " N"], one: Float64[ndarray, "3"], doubt: bool
) -> tuple[Bool[ndarray, " N"], Bool[ndarray, " N"]]:
    """Who counts as no higher than `one`, and who as lower."""
    if doubt:  # who may be lower
        lower = ~(one[2] < others[:, 0])
        return lower, lower
    surely = others[:, 2] < one[0]
    return (
        np.where(doubts, surely, others[:, 1] <= one[1]),
        np.where(doubts, surely, others[:, 1] < one[1]),
    )


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
