"""Runs that differ in their seed alone, as one row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tradeoffs.results.columns import BOUNDS, COLUMNS
from tradeoffs.results.statistics import over_seeds

MEASURED = [name for name, column in COLUMNS.items() if column.better]


def over_seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each recipe: means of what was measured, how many `seeds`, and bounds of the mAP.

    The bounds are over the seeds, for a single run over the images. Only finished runs count, of several records of one
    run (same settings, same device) the last, and only those of one device are averaged with each other.
    """
    finished = runs[runs["status"] == "finished"]
    device = finished["device"].fillna("")
    finished = finished[~pd.DataFrame({"run": finished["config_hash"], "device": device}).duplicated(keep="last")]
    groups = finished.groupby([finished["recipe"], device.loc[finished.index]], sort=False)
    numbers = groups.ngroup()
    rows = groups.head(1).copy()
    place = numbers.loc[rows.index]
    rows[MEASURED] = groups[MEASURED].mean().to_numpy()[place]
    rows["seeds"] = groups.size().to_numpy()[place]
    several = rows["seeds"] > 1
    rows.loc[several, list(BOUNDS)] = np.nan
    scores = finished["mAP"].astype(float).dropna().groupby(numbers)
    bounds = {number: over_seeds(values.to_numpy()) for number, values in scores if len(values) > 1}
    for end in ("low", "high"):
        ends = {number: getattr(interval, end) for number, interval in bounds.items()}
        rows.loc[several, f"mAP_{end}"] = place[several].map(ends)
    rows["seed"] = rows["seed"].where(rows["seeds"] == 1)
    return rows
