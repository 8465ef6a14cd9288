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
    rows = groups.head(1).copy()
    place = groups.ngroup().loc[rows.index]
    rows[MEASURED] = groups[MEASURED].mean().to_numpy()[place]
    rows["seeds"] = groups.size().to_numpy()[place]
    for index, number in place[rows["seeds"] > 1].items():
        scores = finished.loc[groups.ngroup() == number, "mAP"].dropna().to_numpy(float)
        rows.loc[index, list(BOUNDS)] = np.nan
        if len(scores) > 1:
            _, rows.loc[index, "mAP_low"], rows.loc[index, "mAP_high"] = over_seeds(scores)
    rows["seed"] = rows["seed"].where(rows["seeds"] == 1)
    return rows
