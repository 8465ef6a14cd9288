"""Runs that differ in their seed alone, as one row."""

from __future__ import annotations

import pandas as pd

from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.statistics import over_seeds

MEASURED = ["ms_low", "ms_high", *(name for name, column in COLUMNS.items() if column.better)]


def over_seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each recipe: means of what was measured, how many `seeds`, and bounds of the mAP.

    The bounds are over the seeds, for a single run over the images. Only finished runs count, and only those of one
    device are averaged with each other.
    """
    finished = runs[runs["status"] == "finished"]
    keys = [finished["recipe"], finished["device"].fillna("")]
    rows = [_row(group) for _, group in finished.groupby(keys, sort=False)]
    return pd.DataFrame(rows, columns=[*runs.columns, "seeds"])


def _row(group: pd.DataFrame) -> pd.Series:
    row = group.iloc[0].copy()
    row[MEASURED] = group[MEASURED].astype(float).mean()
    row["seeds"] = len(group)
    if len(group) > 1:
        row["seed"] = None
        _, row["mAP_low"], row["mAP_high"] = over_seeds(group["mAP"].to_numpy(float))
    return row
