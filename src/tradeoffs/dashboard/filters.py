"""Which rows of the table a view shows, and what is said about that."""

from __future__ import annotations

import pandas as pd

from tradeoffs.dashboard.address import FILTERS, View
from tradeoffs.dashboard.axes import plain
from tradeoffs.results.columns import TOGETHER
from tradeoffs.results.data_marks import data_note
from tradeoffs.results.seeds import over_seeds_table


def options(table: pd.DataFrame, name: str) -> list[str]:
    """The values of a filter, numbers in their order."""
    values = {plain(value): value for value in table[name]}
    return sorted(values, key=lambda text: (0, values[text], "") if is_number(values[text]) else (1, 0, text))


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and value == value


def defaults(table: pd.DataFrame, view: View) -> View:
    """The task, data set and device that the view does not name, if its filters leave several.

    Those of the most runs that are scored, else of the most runs.
    """
    rows = passing(table, view)
    texts = {name: rows[name].map(plain) for name in ("task", "data", "device") if name not in view and len(rows)}
    several = [name for name, values in texts.items() if values.nunique() > 1]
    if not several:
        return {}
    counts = rows["score"].notna().groupby([texts[name] for name in several]).agg(["sum", "size"])
    most = counts.sort_values(["sum", "size"], kind="stable").index[-1]
    return {name: [value] for name, value in zip(several, [most] if len(several) == 1 else most, strict=True)}


def chosen(table: pd.DataFrame, view: View) -> View:
    """The values of each filter; none means all. A key without a value takes a default away."""
    usual = defaults(table, view)
    given = {name: view.get(name, usual.get(name, [])) for name in FILTERS}
    return {name: [value for value in values if value] for name, values in given.items()}


def passing(table: pd.DataFrame, view: View) -> pd.DataFrame:
    """The records that pass the filters in the view, without any default."""
    for name in FILTERS:
        values = [value for value in view.get(name, []) if value]
        if values and len(table):
            table = table[table[name].map(plain).isin(values)]
    return table


def selected(table: pd.DataFrame, view: View) -> pd.DataFrame:
    """The records that pass the filters."""
    return passing(table, chosen(table, view))


def averaged(view: View) -> bool:
    return view.get("average", ["yes"]) == ["yes"]


def shown(table: pd.DataFrame, view: View) -> pd.DataFrame:
    """The rows of a view: what passes the filters, seeds averaged unless the view says otherwise."""
    rows = selected(table, view)
    return over_seeds_table(rows) if averaged(view) and len(rows) else rows


def described(table: pd.DataFrame, view: View) -> str:
    """The filters in words."""
    parts = [f"{FILTERS[name].lower()}: {', '.join(values)}" for name, values in chosen(table, view).items() if values]
    return "; ".join(parts) or "all runs"


def mixture(rows: pd.DataFrame, timed: bool) -> str:
    """What is said above figures of several data sets, or where times are shown of several devices; else nothing."""
    apart = [
        (len(options(rows, name)), name)
        for name in (TOGETHER if timed else TOGETHER[:-1])
        if len(rows) and len(options(rows, name)) > 1
    ]
    if not apart:
        return ""
    words = {"task": "tasks", "data": "data sets", "given_boxes": "kinds of boxes", "device": "devices"}
    counts = " and ".join(f"{count} {words[name]}" for count, name in apart)
    return f"These runs are of {counts}, whose numbers do not compare: each has a figure of its own."


def other_images(rows: pd.DataFrame) -> str:
    """What is said where runs of one data set were scored on several states or selections of it; else nothing."""
    notes = (data_note(group) for _, group in rows.groupby(["task", "data"]))
    return next(filter(None, notes), "")


def panels(rows: pd.DataFrame, timed: bool) -> list[tuple[str, pd.DataFrame]]:
    """Rows that compare with each other, the largest group first, each with its title."""
    texts = [rows[name].map(plain) for name in (TOGETHER if timed else TOGETHER[:-1])]
    groups = [
        (" on ".join(values[:2]) + ", ".join(["", *(value for value in values[2:] if value != "-")]), group)
        for values, group in rows.groupby(texts)
    ]
    return sorted(groups, key=lambda group: -len(group[1]))
