"""Runs that differ in their seed alone, as one row."""

from __future__ import annotations

import pandas as pd

from tradeoffs.results.columns import BOUNDS, COLUMNS
from tradeoffs.results.statistics import half_width

MEASURED = [name for name, column in COLUMNS.items() if column.better]
STATES = ("disturbed", "busy")  # of the times

SEED = r",?(?<![\w.])seed=\d+"  # in the name of a run


def over_seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each recipe: means of what was measured, how many `seeds`, and bounds of mAP and ms.

    The bounds of mAP are over the seeds, or over the images for a single run. Those of ms are over the repeats, the
    widest of all seeds: a seed changes no time. Only finished runs count, several records of one run (same settings,
    same device) as one, and only those of one device are averaged.
    """
    finished = as_one(runs[runs["status"] == "finished"].assign(device=lambda rows: rows["device"].fillna("")))
    groups = finished.groupby(["recipe", "device"], sort=False)
    rows = groups.head(1).copy()
    place = groups.ngroup().loc[rows.index]
    rows[MEASURED] = groups[MEASURED].mean().to_numpy()[place]
    rows["seeds"] = groups.size().to_numpy()[place]
    for name in STATES:
        rows[name] = (finished[name] == True).groupby(groups.ngroup()).any().to_numpy()[place]  # noqa: E712
    several = rows["seeds"] > 1
    margin = half_width(groups["mAP"].std().to_numpy(), groups["mAP"].count().to_numpy())[place]
    rows.loc[several, "mAP_low"] = rows["mAP"] - margin
    rows.loc[several, "mAP_high"] = rows["mAP"] + margin
    rows["ms_low"] = groups["ms_low"].min().to_numpy()[place]
    rows["ms_high"] = groups["ms_high"].max().to_numpy()[place]
    rows["seed"] = rows["seed"].where(~several)
    rows["name"] = rows["name"].mask(several, rows["name"].str.replace(SEED, "", regex=True))
    return rows


def as_one(records: pd.DataFrame) -> pd.DataFrame:
    """A row for each run and device: that of its training, with whatever any of its records holds.

    One that was timed again, by itself or in a benchmark, need not have been scored again, and the other way round.
    Of several values the last one counts, of times those that were not taken beside other work.
    """
    keys = ["config_hash", "device"]
    quiet_last = records.sort_values("busy", ascending=False, na_position="first", kind="stable")
    known = quiet_last.groupby(keys, sort=False)[[*MEASURED, *BOUNDS, *STATES]].transform("last")  # that is not missing
    whole = records.assign(**known, trained_here=records["minutes"].notna())
    first = whole.sort_values("trained_here", ascending=False, kind="stable").drop_duplicates(keys).index
    return whole.loc[whole.index.isin(first)].drop(columns="trained_here")
