"""Runs that differ in one setting alone, joined by a line: images of several sizes, operating points."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import hovers, label, plain
from tradeoffs.dashboard.scatter import Choices, Looks, add_legend
from tradeoffs.dashboard.style import LAYOUT, ticks
from tradeoffs.results.columns import headline

SECOND = {"overlaying": "y", "side": "right", "tickmode": "auto", "showgrid": False}  # an axis of another unit


def paths(rows: pd.DataFrame, along: str) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Backbone, architecture and the most accurate row for each value of `along`, where there are two or more.

    Sweeps are not joined with each other, since they may have trained in other ways.
    """
    for keys, group in rows.groupby(apart(along), sort=True, dropna=False):
        best = group.sort_values(headline(group), na_position="first").drop_duplicates(along, keep="last")
        if len(best) > 1:
            yield str(keys[0]), str(keys[1]), best.sort_values(along)


def apart(along: str) -> list[str]:
    """What runs that are joined have in common."""
    return ["backbone", "model", "sweep", *(["image_size"] if along != "image_size" else [])]


def alone(rows: pd.DataFrame, along: str) -> int:
    """How many models there are that no line joins with another one of theirs."""
    return rows.groupby(apart(along), dropna=False).ngroups - sum(1 for _ in paths(rows, along))


def by_resolution(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    x, y = choices["x"], choices["y"]
    looks = Looks.of(everything)
    template, texts = hovers(rows)
    figure = go.Figure(layout=LAYOUT)
    for backbone, model, path in paths(rows, "image_size"):
        figure.add_scatter(
            x=path[x],
            y=path[y],
            text=[f"{plain(size)} px" for size in path["image_size"]],
            mode="lines+markers+text",
            textposition="top center",
            textfont_size=11,
            customdata=texts.loc[path.index],
            hovertemplate=template,
            showlegend=False,
            marker={"color": looks.colours[backbone], "symbol": looks.symbols[model], "size": 11},
            line={"color": looks.colours[backbone], "width": 1.5},
        )
    add_legend(figure, rows, looks, "backbone", "model")
    figure.update_xaxes(title_text=label(x), **ticks(rows[x], choices["scale"]))
    figure.update_yaxes(title_text=label(y))
    return figure


def by_operating_point(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices, name: str) -> go.Figure:
    """Accuracy solid, time dotted with an axis of its own, against the column `name`."""
    score = headline(rows)
    looks = Looks.of(everything)
    template, texts = hovers(rows)
    figure = go.Figure(layout=LAYOUT)
    for backbone, model, path in paths(rows, name):
        colour = looks.colours[backbone]
        look = {
            "x": path[name],
            "mode": "lines+markers",
            "marker": {"color": colour, "symbol": looks.symbols[model], "size": 9},
            "customdata": texts.loc[path.index],
            "hovertemplate": template,
            "showlegend": False,
        }
        for shown, drawn in {score: {"line_dash": "solid"}, "ms": {"line_dash": "dot", "yaxis": "y2"}}.items():
            if path[shown].notna().any():
                figure.add_scatter(y=path[shown], line_color=colour, **drawn, **look)
    add_legend(figure, rows, looks, "backbone", "model")
    figure.update_xaxes(title_text=label(name), **ticks(rows[name], choices["scale"]))
    figure.update_layout(
        yaxis={"title": f"{label(score)}, solid", "rangemode": "nonnegative"},
        yaxis2={"title": f"{label('ms')}, dotted", "rangemode": "tozero", **SECOND},
        margin_r=64,
    )
    return figure
