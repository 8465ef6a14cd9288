"""By how much one row of a table is better than another, and how sure that is."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from tradeoffs.errors import UserError
from tradeoffs.metrics.evidence import evidence_file, load_evidence
from tradeoffs.results.bounds import bounds
from tradeoffs.results.columns import ACCURACY, COUNTED
from tradeoffs.results.seeds import DATA
from tradeoffs.results.statistics import Interval, difference, difference_over_seeds

MOST_BOOTSTRAPS = 8
SAME_BUT_SEED = ("recipe", *DATA, "device", "protocol")
SAME = 0.002  # of a score: evidence that says something else than the record is of another scoring


class Difference(NamedTuple):
    """`ground` says what the interval is over; nothing for what is counted, whose interval is a point."""

    interval: Interval
    ground: str

    @property
    def known(self) -> bool:
        return bool(np.isfinite([self.interval.low, self.interval.high]).all())


class Differences:
    """By how much rows of `over_seeds_table` differ in a column. `runs` are those of `as_one`, folders below `root`.

    Over the seeds where both have several; else over the images on which both were scored, image by image; else by the
    bounds of both, nan where they are not known. A bootstrap over images takes a moment, so only some are made.
    """

    def __init__(self, rows: pd.DataFrame, runs: pd.DataFrame, name: str, root: Path):
        self.name, self.root, self.bootstraps = name, root, MOST_BOOTSTRAPS
        self.bounds = dict(zip(rows.index, bounds(rows, name), strict=True))
        values = runs[name].groupby([runs[key].fillna("") for key in SAME_BUT_SEED])
        seeds = {key: each.dropna().to_numpy(float) for key, each in values}
        keys = zip(*(rows[key].fillna("") for key in SAME_BUT_SEED), strict=True)
        self.seeds = dict(zip(rows.index, (seeds[key] for key in keys), strict=True))

    def between(self, one: str, other: str) -> Difference:
        """How much higher `one` is than `other`."""
        value = float(self.bounds[one][1] - self.bounds[other][1])
        if self.name in COUNTED:
            return Difference(Interval(value, value, value), "")
        seeds = [self.seeds[row] for row in (other, one)]
        if self.name in ACCURACY and min(map(len, seeds)) > 1:
            return Difference(difference_over_seeds(*seeds), f"over {len(seeds[1])} and {len(seeds[0])} seeds")
        if self.name in ACCURACY and max(map(len, seeds)) == 1 and (found := self.over_images(one, other, value)):
            return Difference(found, "over the images")
        ground = "by their intervals" if self.name in ACCURACY else "as measurements of one model vary"
        return Difference(self.by_bounds(one, other), ground)

    def over_images(self, one: str, other: str, value: float) -> Interval | None:
        """None unless the evidence of both is of the same images, and says what their records say."""
        files = [evidence_file(self.root / row) for row in (other, one)]
        if not self.bootstraps or not all(files):
            return None
        self.bootstraps -= 1
        found = (paired(*((file, file.stat().st_mtime_ns) for file in files)) or {}).get(self.name)
        return found if found and abs(found.value - value) < SAME else None

    def by_bounds(self, one: str, other: str) -> Interval:
        """As of independent estimates for accuracies; what lies between the bounds at worst for times."""
        (low, value, high), (other_low, other_value, other_high) = self.bounds[one], self.bounds[other]
        gap = value - other_value
        if self.name not in ACCURACY:
            return Interval(gap, low - other_high, high - other_low)
        down, up = np.hypot(value - low, other_high - other_value), np.hypot(high - value, other_value - other_low)
        return Interval(gap, gap - down, gap + up)


@lru_cache(maxsize=256)
def paired(first: tuple[Path, int], second: tuple[Path, int]) -> dict[str, Interval] | None:
    """Of files and when they were written; a bootstrap takes a moment, and is asked for again."""
    try:
        return difference(load_evidence(first[0]), load_evidence(second[0]))
    except UserError:
        return None
