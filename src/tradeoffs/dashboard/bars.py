"""A bar or several for each run, the best first."""

from __future__ import annotations

import html

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import AXES, hovers, label
from tradeoffs.dashboard.scatter import Choices
from tradeoffs.dashboard.style import COLOURS, LAYOUT
from tradeoffs.results.columns import headline
from tradeoffs.results.names import short_names

SIZES = {"AP_small": "small", "AP_medium": "medium", "AP_large": "large"}
PARTS = {"proposals_ms": "proposals", "network_ms": "network", "postprocessing_ms": "postprocessing"}
MOST_BARS = 40


def bars(rows: pd.DataFrame, parts: dict[str, str], title: str, stacked: bool = False) -> go.Figure:
    """A row for each run, best first, with a bar for each of the columns."""
    rows = ordered(rows, next(iter(parts))).head(MOST_BARS)
    template, texts = hovers(rows)
    figure = go.Figure(layout=LAYOUT)
    for (name, part), colour in zip(parts.items(), COLOURS, strict=False):
        figure.add_bar(
            x=rows[name],
            y=np.arange(len(rows)),
            orientation="h",
            name=part,
            showlegend=len(parts) > 1,
            marker_color=colour,
            customdata=texts,
            hovertemplate=template,
        )
    figure.update_layout(
        barmode="stack" if stacked else "group",
        height=150 + len(rows) * (24 if stacked or len(parts) == 1 else 44),
        legend={"yref": "paper", "y": 1},
        xaxis={"title": title, "rangemode": "tozero"},
    )
    names = [html.escape(name) for name in short_names(rows)]
    figure.update_yaxes(tickvals=np.arange(len(rows)), ticktext=names, autorange="reversed", automargin=True)
    return figure


def ordered(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The best accuracy first, or the lowest cost."""
    name = headline(rows) if name in SIZES else "ms" if name in PARTS else name
    return rows.sort_values(name, ascending=AXES[name].better == "low", kind="stable")


def by_object_size(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    return bars(rows, SIZES, "AP by size of the objects")


def time_bars(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    parts = {name: part for name, part in PARTS.items() if rows[name].notna().any()}
    return bars(rows, parts, label("ms"), stacked=True)


def memory_bars(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    return bars(rows, {choices["x"]: label(choices["x"])}, label(choices["x"]))
