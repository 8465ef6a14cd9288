"""Two runs side by side: what differs in their settings, and which differences in numbers are more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tradeoffs.dashboard.axes import AXES, TIMED
from tradeoffs.results.bounds import bounds
from tradeoffs.results.columns import ACCURACY, CLOCKED, COUNTED
from tradeoffs.results.data_marks import KINDS, is_hash, mark
from tradeoffs.results.neutral import PLACES, matters
from tradeoffs.results.record import flat
from tradeoffs.results.seeds import DATA
from tradeoffs.results.statistics import Interval, difference_over_seeds

NO_CHANCE = (*COUNTED, "backbone_accuracy")


class Row(NamedTuple):
    """A metric of both, and in words how sure their difference is."""

    name: str
    first: float
    second: float
    verdicts: list[str]


def different_settings(
    first: Mapping[str, Any], second: Mapping[str, Any], same_data: bool = False
) -> list[tuple[str, Any, Any]]:
    """Key and both values, for each setting that is not the same and may change a result.

    Where the data lie changes nothing if they are known to be the same.
    """
    before, after = dict(flat(first)), dict(flat(second))
    keys = [key for key in sorted(before.keys() | after.keys()) if matters(key) and not (same_data and key in PLACES)]
    return [(key, before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)]


def different_data(one: pd.Series, other: pd.Series) -> list[tuple[str, str, str]]:
    """Title and both marks, for each split that is not the same as far as is known."""
    return [
        (title, mark(one[name]), mark(other[name]))
        for name, title in KINDS.items()
        if not is_same(one[name], other[name])
    ]


def known_same_data(one: pd.Series, other: pd.Series) -> bool:
    return all(is_hash(one[name]) and one[name] == other[name] for name in KINDS)


def is_same(first: object, second: object) -> bool:
    """Of two hashes, either of which may be missing."""
    return first == second or (pd.isna(first) and pd.isna(second))


def metric_rows(table: pd.DataFrame, one: pd.Series, other: pd.Series, images: Mapping[str, Interval]) -> list[Row]:
    """Every measured column that one of both has. `images` are differences over images, by column."""
    names = [name for name, column in AXES.items() if column.better and np.isfinite([one[name], other[name]]).any()]
    return [
        Row(name, one[name], other[name], list(verdicts(table, one, other, name, images.get(name)))) for name in names
    ]


def verdicts(
    table: pd.DataFrame, one: pd.Series, other: pd.Series, name: str, images: Interval | None
) -> Iterator[str]:
    """Over images, over the turns of the clock, over seeds: whatever is known."""
    if not np.isfinite([one[name], other[name]]).all():
        return
    if name == "minutes":
        yield "depends on what else ran"
        return
    if name in ACCURACY and (doubt := other_images(one, other)):
        yield doubt
        return
    if name in TIMED and one["device"] != other["device"]:
        yield "on different devices, which do not compare"
        return
    if name in TIMED and (one["busy"] == True or other["busy"] == True):  # noqa: E712 (None is not known)
        yield "cannot be compared: other programs were running"
        return
    if name in TIMED and one["protocol"] != other["protocol"]:
        yield f"timed in different ways ({one['protocol']}; {other['protocol']}), which do not compare"
        return
    if name in NO_CHANCE:
        yield "counted, not measured"
        return
    if images:
        yield verdict(name, images, "over the images")
    if name in (*CLOCKED, "memory"):
        (low, value, high), (other_low, other_value, other_high) = bounds(pd.DataFrame([one, other]), name)
        interval = Interval(other_value - value, other_low - high, other_high - low)
        yield verdict(name, interval, "as measurements of one model vary")
    seeds = [of_seeds(table, run, name) for run in (one, other)]
    if min(map(len, seeds)) > 1 and one["recipe"] != other["recipe"]:
        yield verdict(name, difference_over_seeds(*seeds), f"over {len(seeds[0])} and {len(seeds[1])} seeds")


def other_images(one: pd.Series, other: pd.Series) -> str | None:
    """Why accuracies do not compare; None where they do."""
    if is_same(one["images"], other["images"]):
        return None
    known = is_hash(one["images"]) == is_hash(other["images"])
    return "scored on other images, which do not compare" if known else "whether on the same images is not known"


def of_seeds(table: pd.DataFrame, run: pd.Series, name: str) -> np.ndarray:
    """The values of all finished runs with the settings of `run` but their seed: same data, device, way of timing."""
    same = ["recipe", *DATA, "kind", "device", *(["protocol"] if name in TIMED else [])]
    alike = (table[same].fillna("") == run[same].fillna("")).all(axis=1)
    own = table[alike & (table["status"] == "finished")].drop_duplicates("seed", keep="last")
    return own[name].dropna().to_numpy(float)


def verdict(name: str, interval: Interval, ground: str) -> str:
    if not np.isfinite([interval.low, interval.high]).all():
        return f"not known {ground}"
    better = (interval.sign > 0) == (AXES[name].better == "high")
    sense = "may be chance" if not interval.sign else f"{'better' if better else 'worse'}, more than chance"
    low, value, high = (signed(each) for each in (interval.low, interval.value, interval.high))
    return f"{sense}: {value}, within {low} and {high} {ground}"


def signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}") if np.isfinite(value) else "-"
