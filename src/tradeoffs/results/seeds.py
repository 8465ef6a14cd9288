"""Runs that differ in their seed alone, as one row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tradeoffs.results.bounds import doubtful
from tradeoffs.results.columns import ACCURACY, BOUNDS, COLUMNS
from tradeoffs.results.statistics import half_width

MEASURED = ["score", *(name for name, column in COLUMNS.items() if column.better)]
SCORED = ["score", *ACCURACY, *(f"{name}_{end}" for name in ACCURACY for end in ("low", "high"))]
STATES = ("disturbed", "busy")  # of the times
DATA = ("train_data", "images")

SEED = r",?(?<![\w.])seed=\d+"  # in the name of a run


def over_seeds_table(runs: pd.DataFrame) -> pd.DataFrame:
    """A row for each recipe, data and way of timing: means of what was measured, how many `seeds`, and bounds.

    The bounds of accuracies are over the seeds, or over the images for a single run or seeds that tie; of a share they
    lie within 0 and 1. Those of ms are over the repeats,
    the widest of all seeds: a seed changes no time; `timed` is how many have one. Only finished runs count, and only
    those of one device are averaged.
    """
    finished = as_one(runs[runs["status"] == "finished"])
    alike = ["recipe", *DATA, "device", "protocol"]
    groups = finished.groupby(alike, sort=False)
    heads = finished.sort_values("score", key=pd.Series.isna, kind="stable").drop_duplicates(
        alike
    )  # scored ones, if any
    rows = finished.loc[finished.index.isin(heads.index)].copy()
    place = groups.ngroup().loc[rows.index]
    rows[MEASURED] = groups[MEASURED].mean().to_numpy()[place]
    scored = groups["score"].count().to_numpy()[place]
    rows["seeds"] = np.where(scored > 0, scored, groups.size().to_numpy()[place])
    rows["timed"] = groups["ms"].count().to_numpy()[place]
    if "hardly_trained" in finished:  # not in tables of before
        rows["hardly_trained"] = groups["hardly_trained"].first().to_numpy()[place]  # of the first such seed
    for name in STATES:
        rows[name] = (finished[name] == True).groupby(groups.ngroup()).any().to_numpy()[place]  # noqa: E712
    for name in ACCURACY:
        spread = groups[name].std().to_numpy()[place]
        margin = half_width(spread, scored)
        is_share = (groups[name].min().to_numpy()[place] >= 0) & (groups[name].max().to_numpy()[place] <= 1)
        least, most = np.where(is_share, 0.0, -np.inf), np.where(is_share, 1.0, np.inf)
        for end, sign in (("low", -1), ("high", 1)):
            of_images = groups[f"{name}_{end}"].first().to_numpy()[place]
            of_seeds = np.clip(rows[name] + sign * margin, least, most)
            rows[f"{name}_{end}"] = np.where((scored > 1) & (spread > 0), of_seeds, of_images)  # a tie is no certainty
    rows["ms_low"] = groups["ms_low"].min().to_numpy()[place]
    rows["ms_high"] = groups["ms_high"].max().to_numpy()[place]
    several = groups.size().to_numpy()[place] > 1
    rows["seed"] = rows["seed"].where(~several)
    rows["name"] = rows["name"].mask(several, rows["name"].str.replace(SEED, "", regex=True).replace("", "seeds"))
    return rows


def as_one(records: pd.DataFrame) -> pd.DataFrame:
    """A row for each run, device, data and way of timing: that of its training, with whatever any of its records holds.

    One that was timed again, by itself or in a benchmark, need not have been scored again, and the other way round.
    Of several scores the newest counts, which the newest scorer gave. Of several times those count that were neither
    disturbed nor taken beside other work; of these that which was taken in turns with the most other models, for it
    compares with theirs, of several such the newest, and of those that were taken alone the steadiest.
    What lies between the bounds of any of them is possible: a model's times differ more from process to process than
    the repeats within one show.
    """
    records = records.assign(device=records["device"].fillna(""))
    records["protocol"] = protocols(records)
    records = records.assign(**{name: of_data(records, name) for name in DATA})
    keys = ["config_hash", *DATA, "device", "protocol"]
    spread = (records["ms_high"] - records["ms_low"]) / records["ms"]
    since = records["time"].where(records["models_in_turns"] > 0, "")
    of_state = dict.fromkeys(reversed(STATES), False)
    order = {**of_state, "models_in_turns": True, "since": True, "spread": False, "ms": False}  # whether they rise
    best_last = records.assign(spread=spread, since=since).sort_values(
        list(order), ascending=list(order.values()), na_position="first", kind="stable"
    )
    known = best_last.groupby(keys, sort=False)[[*MEASURED, *BOUNDS, *STATES]].transform("last")  # that is not missing
    scored = records[records["score"].notna()].sort_values("time", kind="stable").drop_duplicates(keys, keep="last")
    known[SCORED] = records[keys].merge(scored[[*keys, *SCORED]], "left", keys)[SCORED].set_axis(records.index)
    settled = pd.DataFrame({**known, **possible_times(records, keys)}, records.index)
    others = records.drop(columns=list(settled), errors="ignore")
    columns = list(dict.fromkeys([*records, *settled]))
    whole = pd.concat([others, settled], axis=1)[columns]  # all at once: column by column is slow
    trained_here = records["minutes"].notna() * 2 + records["score"].notna()  # whose words say what was scored
    first = whole.loc[trained_here.sort_values(ascending=False, kind="stable").index].drop_duplicates(keys).index
    return whole.loc[whole.index.isin(first)]


def possible_times(records: pd.DataFrame, keys: list[str]) -> dict[str, pd.Series]:
    """The lowest and the highest bound of each run's times that count."""
    quiet = records["ms"].notna() & ~doubtful(records, "ms")
    groups = [records[key] for key in keys]
    counts = quiet | ~quiet.groupby(groups).transform("any")
    return {
        "ms_low": records["ms_low"].where(counts).groupby(groups).transform("min"),
        "ms_high": records["ms_high"].where(counts).groupby(groups).transform("max"),
    }


def of_data(records: pd.DataFrame, name: str) -> pd.Series:
    """Which data each record belongs to; one that was not scored goes with those of its run, or else of its recipe."""
    found = records[name].astype(object) if name in records else pd.Series(None, records.index, dtype=object)
    found = found.mask(found.isna() & records["score"].notna(), "")  # scored on who knows what
    for key in ("config_hash", "recipe"):
        found = found.fillna(found.groupby(records[key]).transform("first"))
    return found.fillna("")


def protocols(records: pd.DataFrame) -> pd.Series:
    """How each record was timed; of one without times, how trained weights of its recipe or run were."""
    found = records["protocol"].astype(object)
    of_trained = found.where(records["trained"] == True)  # noqa: E712 (None is not known)
    own = of_trained.where(records["score"].notna())  # of a run that was scored and timed at once
    for known, key in ((own, "recipe"), (of_trained, "config_hash"), (of_trained, "recipe")):
        found = found.fillna(known.groupby([records[key], records["device"]]).transform("first"))
    return found.fillna("")
