"""Runs as rows of text: which columns, in which order, and where the best value stands."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, formatted, plain
from tradeoffs.results.bounds import bounds, doubtful, untrained
from tradeoffs.results.columns import ACCURACY, CLOCKED, HEADS, POINTS, TOGETHER, headline
from tradeoffs.results.names import short_names
from tradeoffs.task_facts import first_two

STAR, CLOSE = "★", "☆"

# What is asked for first stands where a narrow window shows it.
USUAL = (
    *("model", "backbone", "image_size", *POINTS, "seed", "seeds"),
    *("images_per_second", "multiply_adds", "parameters", "memory", "status"),
)
SHORT = {"model": "model", **{name: name for name in ACCURACY}}  # heads, beside those of the results
IDENTITY = ("model", "backbone", "image_size", *POINTS, "seed")
IN_TEXT = ("name", "sweep", "model", "backbone", "data", "device", "status", "error", "kind", "task", "seed")


def usual_columns(rows: pd.DataFrame) -> list[str]:
    """Those in which something is written; the state only if it is not the same for all."""
    scores = dict.fromkeys([headline(rows), *(name for task in rows["task"].unique() for name in first_two(task))])
    best, *others = scores
    known = [name for name in (best, "ms", *others, *USUAL) if name in rows and rows[name].map(formatted).ne("-").any()]
    alike = {
        name
        for name in ("status", "seeds", "seed")
        if name in rows and (rows[name].astype(str) == plain_one(name)).all()
    }
    shown = [name for name in known if name not in alike]
    if rows["given_boxes"].nunique() > 1:
        shown.insert(shown.index("backbone") + 1, "given_boxes")
    alike_rows = rows.duplicated([name for name in IDENTITY if name in shown]).any()
    if alike_rows and rows["sweep"].nunique() > 1:
        shown.insert(shown.index("backbone") + 1, "sweep")
    return [name for name in shown if name != "seed" or "seeds" not in shown]


def plain_one(name: str) -> str:
    return "finished" if name == "status" else "1"


def columns(rows: pd.DataFrame, view: View) -> list[str]:
    return [name for name in view.get("columns", ()) if name in AXES and name in rows] or usual_columns(rows)


def head(name: str) -> str:
    """Of a column, short."""
    return SHORT.get(name) or HEADS.get(name) or AXES[name].title


def names(rows: pd.DataFrame) -> list[str]:
    """What somebody named a run; where its name is a list of settings, or not the only one, what tells it apart."""
    own = rows["name"].map(str)
    unclear = own.str.contains("=") | own.duplicated(keep=False)
    return [short if each else name for name, short, each in zip(own, short_names(rows), unclear, strict=True)]


def searched(rows: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows in which every word stands somewhere."""
    columns = [rows[name].map(plain) for name in IN_TEXT if name in rows]
    lines = [" ".join(values).lower() for values in zip(rows.index, *columns, strict=True)]
    found = [all(word in line for word in text.lower().split()) for line in lines]
    return rows[pd.Series(found, rows.index, dtype=bool)]


def order(view: View) -> tuple[str, bool]:
    """The column to sort by, and whether the largest comes first; in an address -mAP."""
    text = first(view, "sort", "-mAP")
    return text.removeprefix("-"), text.startswith("-")


def ordered(rows: pd.DataFrame, name: str, descending: bool) -> pd.DataFrame:
    """What is not known comes last in both directions."""
    if name not in rows:
        return rows
    key = rows[name] if pd.api.types.is_numeric_dtype(rows[name]) else rows[name].map(plain).replace("-", None)
    return rows.loc[key.sort_values(ascending=not descending, na_position="last", kind="stable").index]


def best(rows: pd.DataFrame, name: str) -> pd.Series:
    """STAR at the best value of a column, CLOSE at those that are too close to it to call, else nothing.

    Among the rows that compare: of one task, data set, kind of boxes and device, and for accuracies of one set of
    images. A disturbed time counts as the worst that it may be, and what was hardly trained has no star.
    """
    better = AXES[name].better if name in AXES else None
    if better is None or len(rows) < 2:
        return pd.Series("", rows.index)
    sign = 1 if better == "high" else -1
    low, value, high = (bounds(rows, name)[:, ::sign] * sign).T  # the more, the better
    worth = np.where(doubtful(rows, name), low, value)
    out = (rows["status"] != "finished").to_numpy() | (untrained(rows) if name in ACCURACY else False)
    alone = (rows["busy"] == True) & (name in CLOCKED)  # noqa: E712 (None is not known)
    high = np.where(alone, np.inf, np.fmax(value, high))  # of a time beside other work nobody knows what it is alone
    worth, high = np.where(out | np.isnan(value), np.nan, worth), np.where(out | np.isnan(value), np.nan, high)
    keys = [rows[key].map(plain).to_numpy() for key in (*TOGETHER, *(["images"] if name in ACCURACY else []))]
    table = pd.DataFrame({"worth": worth, "low": low, "high": high})
    most = table["worth"].groupby(keys).transform("max")
    is_best = table["worth"] == most
    floor = table["low"].fillna(table["worth"]).where(is_best).groupby(keys).transform("min")
    marks = np.where(is_best, STAR, np.where(table["high"] >= floor, CLOSE, ""))
    return pd.Series(marks, rows.index)


def marked(rows: pd.DataFrame, name: str) -> list[str]:
    """The values of a column as text: with a ! behind a disturbed time, a ? where it was hardly trained."""
    shaken = doubtful(rows, name)
    little = untrained(rows) if name in ACCURACY else np.zeros(len(rows), dtype=bool)
    texts = map(formatted, rows[name])
    return [
        f"{text}{'!' if no_rest else ''}{'?' if few else ''}" if text != "-" else text
        for text, no_rest, few in zip(texts, shaken, little, strict=True)
    ]


def marks_explained(rows: pd.DataFrame, columns: Iterable[str]) -> str:
    """What the marks in these columns mean; nothing where there are none."""
    said = {
        "! a disturbed time: the best only if even its slow turns are.": lambda name: doubtful(rows, name).any(),
        "? hardly trained.": lambda name: name in ACCURACY and untrained(rows).any(),
    }
    return " ".join(text for text, applies in said.items() if any(map(applies, columns)))
