"""What is said of a view beside its rows: which runs are hidden unasked, and what its address names in vain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pandas as pd

from tradeoffs.dashboard.address import FILTERS, SETTINGS, View, first
from tradeoffs.dashboard.axes import CHOICES, plain
from tradeoffs.dashboard.figures import FIGURES
from tradeoffs.dashboard.filters import defaults, options, passing

OTHERS = {"task": "of other tasks", "data": "of other data sets", "device": "from other devices"}
MOST_NAMED = 4


class Hidden(NamedTuple):
    """Runs that a default leaves out, in words, and the view that has them too."""

    text: str
    view: View


def hidden(table: pd.DataFrame, view: View) -> Iterator[Hidden]:
    """Of the runs that the filters in the address leave; each run is counted once."""
    rows = passing(table, view)
    for name, usual in defaults(table, view).items():
        texts = rows[name].map(plain)
        others = texts[~texts.isin(usual)].value_counts()
        rows = rows[texts.isin(usual)]
        if len(others):
            runs = "run" if others.sum() == 1 else "runs"
            counts = [f"{value} ({count})" for value, count in others.head(MOST_NAMED).items()]
            more = ["..."] if len(others) > MOST_NAMED else []
            text = f"Not shown: {others.sum()} more {runs} {OTHERS[name]}, {'; '.join([*counts, *more])}."
            yield Hidden(text, {**view, name: [""]})


def in_vain(table: pd.DataFrame, view: View) -> list[str]:
    """What the address names and no run has, or no page knows."""
    figure = FIGURES.get(first(view, "figure", "frontier"))
    return [
        *unknown_values(table, view),
        *(f"{name}= is no filter, and was not used." for name in view if name not in (*FILTERS, *SETTINGS)),
        *([] if figure else [f"figure={first(view, 'figure')} is none; there are: {', '.join(FIGURES)}."]),
        *(
            f"{name}={first(view, name)} cannot be chosen, and was not used."
            for name in (figure.choices if figure else {})
            if name in view and first(view, name) not in CHOICES[name]
        ),
    ]


def unknown_values(table: pd.DataFrame, view: View) -> Iterator[str]:
    """Of filters."""
    for name, values in view.items():
        known = options(table, name) if name in FILTERS and len(table) else []
        for value in values if name in FILTERS else []:
            if value and value not in known:
                yield f"{name}={value} is that of no run; there are: {', '.join(known) or 'none'}."


def in_words(table: pd.DataFrame, view: View) -> list[str]:
    """All of it."""
    return [*in_vain(table, view), *(each.text for each in hidden(table, view))]
