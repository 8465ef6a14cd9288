"""Runs as rows of text: which columns, in which order, and where the best value stands."""

from __future__ import annotations

import pandas as pd

from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, plain, written
from tradeoffs.results.columns import HEADS, TOGETHER

USUAL = (
    *("model", "backbone", "image_size", "num_proposals", "seed", "seeds", "mAP", "AP50", "ms"),
    *("images_per_second", "multiply_adds", "parameters", "memory", "status"),
)
IDENTITY = ("model", "backbone", "image_size", "num_proposals", "seed")
IN_TEXT = ("name", "sweep", "model", "backbone", "data", "device", "status", "error", "kind", "task", "seed")


def usual_columns(rows: pd.DataFrame) -> list[str]:
    """Those in which something is written; the state only if it is not the same for all."""
    known = [name for name in USUAL if name in rows and rows[name].map(written).ne("-").any()]
    alike = {
        name
        for name in ("status", "seeds", "seed")
        if name in rows and (rows[name].astype(str) == plain_one(name)).all()
    }
    shown = [name for name in known if name not in alike]
    alike_rows = rows.duplicated([name for name in IDENTITY if name in shown]).any()
    return [*shown[:2], "sweep", *shown[2:]] if alike_rows and rows["sweep"].nunique() > 1 else shown


def plain_one(name: str) -> str:
    return "finished" if name == "status" else "1"


def columns(rows: pd.DataFrame, view: View) -> list[str]:
    return [name for name in view.get("columns", ()) if name in AXES and name in rows] or usual_columns(rows)


def head(name: str) -> str:
    """Of a column, short."""
    return HEADS.get(name) or AXES[name].title


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
    """Where the best value of a column stands, among the rows that compare: of one task, data set and device."""
    better = AXES[name].better if name in AXES else None
    if better is None or len(rows) < 2:
        return pd.Series(False, rows.index)
    values = rows[name].astype(float).where(rows["status"] == "finished")
    groups = values.groupby([rows[key].map(plain) for key in TOGETHER])
    return values == groups.transform("max" if better == "high" else "min")
