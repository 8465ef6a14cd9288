"""Between which bounds the numbers of a table lie, and which rows are the frontier then."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from numpy import ndarray

from tradeoffs.results.columns import ACCURACY, CLOCKED, COUNTED
from tradeoffs.results.frontier import frontier_in_doubt, surely_beaten

REPEATABLE_TIME = 0.03, 0.10  # in turns with others in one process, and alone
REPEATABLE_MEMORY = 1 / 3  # of a process; what an allocator counts is exact


def bounds(rows: pd.DataFrame, name: str) -> Float64[ndarray, "N 3"]:
    """Low, estimate, high of a column for each row; nan for a bound that is not known.

    What is counted is its own bounds. Those of times and memory are at least as wide as what differs when the same
    model is measured again: see `margins`. The interval of a disturbed time reaches as far as its turns do, from the
    10th to the 90th percentile. One taken beside other work is above what it would be alone, so nothing is known about
    its low bound.
    """
    value = numbers(rows, name)
    unknown = np.full_like(value, np.nan)
    point = value if name in (*COUNTED, *CLOCKED, "memory") else unknown
    low, high = (numbers(rows, f"{name}_{end}", point) for end in ("low", "high"))
    if (margin := margins(rows, name)).any():
        low, high = np.fmin(low, value / (1 + margin)), np.fmax(high, value * (1 + margin))
    if (doubt := doubtful(rows, name)).any():
        ends = (low, high) if f"{name}_low" in rows else (unknown, unknown)
        low = np.where(doubt, np.fmin(ends[0], numbers(rows, f"{name}_p10", unknown)), low)
        high = np.where(doubt, np.fmax(ends[1], numbers(rows, f"{name}_p90", unknown)), high)
        low = np.where(rows["busy"] == True, np.nan, low)  # noqa: E712
    return np.stack([low, value, high], axis=1)


def margins(rows: pd.DataFrame, name: str) -> Float64[ndarray, " N"]:
    """By what part a row's number may be another one in the next process, whatever its repeats say (docs/timing.md)."""
    if name in CLOCKED:
        return np.where(rows["models_in_turns"] > 1, *REPEATABLE_TIME)
    if name == "memory":
        return np.where(rows["resident"] == False, 0.0, REPEATABLE_MEMORY)  # noqa: E712
    return np.zeros(len(rows))


def numbers(rows: pd.DataFrame, name: str, otherwise: ndarray | None = None) -> Float64[ndarray, " N"]:
    return rows[name].to_numpy(float) if name in rows or otherwise is None else otherwise


def doubtful(rows: pd.DataFrame, name: str) -> Bool[ndarray, " N"]:
    """Whose value of a column is a time that was disturbed."""
    if name not in CLOCKED:
        return np.zeros(len(rows), dtype=bool)
    return ((rows["disturbed"] == True) | (rows["busy"] == True)).to_numpy(bool)  # noqa: E712


def untrained(rows: pd.DataFrame) -> Bool[ndarray, " N"]:
    """Whose accuracy says nothing about the model, because it was hardly trained."""
    if "hardly_trained" not in rows:
        return np.zeros(len(rows), dtype=bool)
    return rows["hardly_trained"].notna().to_numpy(bool)


def frontier(
    rows: pd.DataFrame, cost: str, gain: str, low_is_better: tuple[bool, bool] = (True, False)
) -> tuple[Bool[ndarray, " N"], Bool[ndarray, " N"]]:
    """Who is on the frontier, and who is not but may be: nobody beats it for sure.

    A disturbed time wins only against whom its whole interval lies below. What was hardly trained takes no part, and
    what was scored on other images, or in other boxes, beats nobody.
    """
    costs, gains = (bounds(rows, name) for name in (cost, gain))
    costs = costs if low_is_better[0] else -costs[:, ::-1]
    gains = -gains[:, ::-1] if low_is_better[1] else gains
    out = untrained(rows) | ~np.isfinite(costs[:, 1] + gains[:, 1])
    costs[out], gains[out] = np.nan, np.nan
    on, beaten = np.zeros(len(rows), dtype=bool), out
    apart = ["given_boxes", *(["images"] if ACCURACY.keys() & {cost, gain} else [])]
    sets = rows.groupby(apart, dropna=False).ngroup().to_numpy()
    for part in (sets == each for each in np.unique(sets)):
        doubts = (doubtful(rows[part], name) for name in (cost, gain))
        on[part] = frontier_in_doubt(costs[part], gains[part], *doubts)
        beaten[part] |= surely_beaten(costs[part][:, [0, 2]], gains[part][:, [0, 2]])
    return on, ~(on | beaten)
