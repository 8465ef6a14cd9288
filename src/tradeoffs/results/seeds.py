"""Runs that differ in their seed alone, as one row."""

from __future__ import annotations

import pandas as pd

from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.statistics import half_width

MEASURED = [name for name, column in COLUMNS.items() if column.better]

SEED = r",?\bseed=\d+"  # in the name of a run


def over_seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each recipe: means of what was measured, how many `seeds`, and bounds of mAP and ms.

    The bounds are over the seeds; for a single run over the images and the repeats. Only finished runs count, of
    several records of one run (same settings, same device) the last, and only those of one device are averaged.
    """
    finished = runs[runs["status"] == "finished"].assign(device=lambda rows: rows["device"].fillna(""))
    finished = finished[~finished.duplicated(["config_hash", "device"], keep="last")]
    groups = finished.groupby(["recipe", "device"], sort=False)
    rows = groups.head(1).copy()
    place = groups.ngroup().loc[rows.index]
    rows[MEASURED] = groups[MEASURED].mean().to_numpy()[place]
    rows["seeds"] = groups.size().to_numpy()[place]
    rows["disturbed"] = (finished["disturbed"] == True).groupby(groups.ngroup()).any().to_numpy()[place]  # noqa: E712
    several = rows["seeds"] > 1
    for name in ("mAP", "ms"):
        margin = half_width(groups[name].std().to_numpy(), groups[name].count().to_numpy())[place]
        rows.loc[several, f"{name}_low"] = rows[name] - margin
        rows.loc[several, f"{name}_high"] = rows[name] + margin
    rows["seed"] = rows["seed"].where(~several)
    rows["name"] = rows["name"].mask(several, rows["name"].str.replace(SEED, "", regex=True))
    return rows
