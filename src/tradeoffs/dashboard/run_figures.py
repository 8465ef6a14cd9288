"""What is drawn on a run's page; pure functions of its record and curves."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import AXES
from tradeoffs.dashboard.bars import PARTS
from tradeoffs.dashboard.style import COLOURS, LAYOUT
from tradeoffs.task_facts import all_scores, all_tasks

SHARES = {name for name, score in all_scores().items() if score.better == "high" and not score.unit}
LOGGED = tuple(f"val/{name}" for task in all_tasks().values() for name in [*task.scores][:3])
CURVES = {
    "Losses": ("loss", "val/loss", "loss/"),
    "Accuracy on the validation split": tuple(name for name in LOGGED if name.removeprefix("val/") in SHARES),
    "Errors on the validation split": tuple(name for name in LOGGED if name.removeprefix("val/") not in SHARES),
    "Learning rate": ("learning_rate",),
}
NO_SCORES = ("id", "name", "instances", "pixels")  # of what is known of a class
SIZES = ("small", "medium", "large")
DASHES = ("solid", "dash", "dot", "dashdot")
ERRORS = {
    "Cls": "wrong class",
    "Loc": "wrong place",
    "Both": "both wrong",
    "Dupe": "found twice",
    "Bkg": "nothing there",
    "Miss": "missed",
}


def curves(table: pd.DataFrame) -> dict[str, go.Figure]:
    """By title, those of which something was logged; against steps."""
    found = {}
    for title, wanted in CURVES.items():
        names = [
            name for name in table if name in wanted or name.startswith(tuple(w for w in wanted if w.endswith("/")))
        ]
        if names:
            found[title] = lines(table, names)
    return found


def lines(table: pd.DataFrame, names: list[str]) -> go.Figure:
    figure = go.Figure(layout=LAYOUT)
    for place, name in enumerate(names):
        known = table[["step", name]].dropna()
        style = {"color": COLOURS[place % len(COLOURS)], "dash": DASHES[place % len(DASHES)]}
        mode = "lines+markers" if len(known) < 30 else "lines"
        figure.add_scatter(
            x=known["step"], y=known[name], mode=mode, name=html.escape(name), line=style, showlegend=True
        )
    figure.update_layout(height=340, xaxis_title="step", hovermode="x unified")
    figure.update_yaxes(rangemode="tozero", tickformat="~r", hoverformat=".4~r")  # 0.0006, not 600µ
    return figure


def class_bars(per_class: list[Mapping[str, Any]]) -> go.Figure:
    """The best class first, by the first of its scores; those of which nothing is known are left out."""
    keys = [key for key in per_class[0] if key not in NO_SCORES]
    known = sorted((each for each in per_class if each.get(keys[0]) is not None), key=lambda each: -each[keys[0]])
    names = [f"{html.escape(str(each['name']))} ({_count(each)})" for each in known]
    figure = go.Figure(layout=LAYOUT)
    for key, colour in zip(keys, (COLOURS[0], COLOURS[4]), strict=False):
        title = AXES[key].title if key in AXES else key
        figure.add_bar(x=[each.get(key) for each in known], y=names, orientation="h", name=title, marker_color=colour)
    figure.update_layout(barmode="group", height=140 + 34 * len(known), xaxis_rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def _count(row: Mapping[str, Any]) -> str:
    return f"{row['pixels']:,} pixels" if "pixels" in row else str(row.get("instances", "?"))


def size_bars(summary: Mapping[str, float | None]) -> go.Figure:
    figure = go.Figure(layout=LAYOUT)
    for key, title, colour in (("AP", "average precision", COLOURS[0]), ("AR", "average recall", COLOURS[4])):
        figure.add_bar(x=SIZES, y=[summary.get(f"{key}_{size}") for size in SIZES], name=title, marker_color=colour)
    figure.update_layout(barmode="group", height=320, yaxis_rangemode="tozero", xaxis_title="objects")
    return figure


def error_bars(errors: Mapping[str, float | None]) -> go.Figure:
    """By how much AP50 would rise without each kind of error (TIDE, Bolya et al. 2020)."""
    known = {ERRORS.get(name, name): value for name, value in errors.items() if value is not None}
    figure = go.Figure(layout=LAYOUT)
    figure.add_bar(x=list(known), y=list(known.values()), marker_color=COLOURS[1])
    figure.update_layout(height=320, yaxis_title="AP50 lost", yaxis_rangemode="tozero")
    return figure


def clock_bars(batches: Mapping[str, Mapping[str, Any]]) -> go.Figure:
    """Medians for one image of each batch size."""
    sizes = sorted(batches, key=int)
    figure = go.Figure(layout=LAYOUT)
    for (key, title), colour in zip(PARTS.items(), COLOURS, strict=False):
        medians = [(batches[size].get(key) or {}).get("median") for size in sizes]
        times = [None if median is None else median / int(size) for size, median in zip(sizes, medians, strict=True)]
        names = [f"batch of {size}" for size in sizes]
        figure.add_bar(y=names, x=times, orientation="h", name=title, marker_color=colour)
    figure.update_layout(barmode="stack", height=130 + 50 * len(sizes), xaxis_title="ms for an image")
    figure.update_yaxes(automargin=True, autorange="reversed")
    return figure
