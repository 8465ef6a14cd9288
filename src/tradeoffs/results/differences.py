"""By how much one row of a table is better than another, and how sure that is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tradeoffs.errors import UserError
from tradeoffs.metrics.matches import Matches
from tradeoffs.results.bounds import bounds
from tradeoffs.results.columns import ACCURACY, COUNTED, SURE
from tradeoffs.results.seeds import DATA
from tradeoffs.results.statistics import Interval, difference, difference_over_seeds

MATCHES = "matches.npz"
SAME = 0.002  # of a mAP: matches that say something else than the record are of another scoring


class Difference(NamedTuple):
    """`ground` says what the interval is over; nothing for what is counted, whose interval is a point."""

    interval: Interval
    ground: str

    @property
    def known(self) -> bool:
        return bool(np.isfinite([self.interval.low, self.interval.high]).all())


def difference_of(runs: pd.DataFrame, one: pd.Series, other: pd.Series, name: str, root: Path) -> Difference:
    """How much higher `one` is than `other` in a column, of rows of `over_seeds_table`. `runs` are those of `as_one`.

    Over the seeds where both have several, else over images on which both were scored, image by image, else by the
    bounds of both; nan for bounds that are not known. Folders are below `root`.
    """
    value = float(one[name] - other[name])
    if name in (*COUNTED, "memory"):
        return Difference(Interval(value, value, value), "")
    if name in ACCURACY:
        seeds = [of_seeds(runs, row, name) for row in (other, one)]
        if min(map(len, seeds)) > 1:
            return Difference(difference_over_seeds(*seeds), f"over {len(seeds[1])} and {len(seeds[0])} seeds")
        if name in SURE and max(map(len, seeds)) == 1 and (paired := over_images(one, other, name, root)):
            return Difference(paired, "over the images")
    return Difference(by_bounds(one, other, name), "by their intervals")


def of_seeds(runs: pd.DataFrame, row: pd.Series, name: str) -> np.ndarray:
    """The values that were averaged for a row."""
    same = ["recipe", *DATA, "device", "protocol"]
    alike = (runs[same].fillna("") == row[same].fillna("")).all(axis=1)
    return runs.loc[alike, name].dropna().to_numpy(float)


def over_images(one: pd.Series, other: pd.Series, name: str, root: Path) -> Interval | None:
    """None unless what both found is known for the same images, and is what their records say."""
    files = [root / str(row.name) / MATCHES for row in (other, one)]
    if not all(file.is_file() for file in files):
        return None
    found = paired(*((file, file.stat().st_mtime_ns) for file in files))
    interval = found.get(name) if found else None
    return interval if interval and abs(interval.value - (one[name] - other[name])) < SAME else None


@lru_cache(maxsize=256)
def paired(first: tuple[Path, int], second: tuple[Path, int]) -> dict[str, Interval] | None:
    """Of files and when they were written; a bootstrap takes a moment, and is asked for again."""
    try:
        return difference(Matches.load(first[0]), Matches.load(second[0]))
    except UserError:
        return None


def by_bounds(one: pd.Series, other: pd.Series, name: str) -> Interval:
    """As of independent estimates for accuracies; what lies between the bounds at worst for times."""
    (low, value, high), (other_low, other_value, other_high) = (
        bounds(row.to_frame().T.infer_objects(), name)[0] for row in (one, other)
    )
    gap = value - other_value
    if name not in ACCURACY:
        return Interval(gap, low - other_high, high - other_low)
    down, up = np.hypot(value - low, other_high - other_value), np.hypot(high - value, other_value - other_low)
    return Interval(gap, gap - down, gap + up)
