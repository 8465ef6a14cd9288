"""Every run a mark, against any two columns, with the frontier."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import AXES, hovers, label, plain
from tradeoffs.dashboard.style import COLOURS, GREY, LARGEST, LAYOUT, SMALLEST, SYMBOLS, assigned, ticks
from tradeoffs.results.bounds import bounds, doubtful, untrained
from tradeoffs.results.bounds import frontier as results_frontier
from tradeoffs.results.columns import ACCURACY
from tradeoffs.results.names import short_names

Choices = dict[str, str]  # x, y, colour, symbol, size: columns; scale: log or linear
MOST_NAMES = 8  # written beside the marks of a frontier
MARGIN = 0.15  # of the span of the marks, beside them
MOST_WHISKERS = 200  # more hide each other
HOLLOW = "hollow: disturbed time, or hardly trained"
MAYBE = "ringed: perhaps on it, within the intervals"
GAINS = (*(name for name, score in ACCURACY.items() if score.better == "high"), "backbone_accuracy")  # all else costs


class Looks(NamedTuple):
    """Colour and symbol of each value, the same in every figure whatever is filtered."""

    colours: dict[str, str]
    symbols: dict[str, str]

    @classmethod
    def of(cls, *tables: pd.DataFrame, colour: str = "backbone", symbol: str = "model") -> Looks:
        hues, shapes = ([plain(value) for table in tables for value in table[name]] for name in (colour, symbol))
        return cls(assigned(hues, COLOURS), assigned(shapes, SYMBOLS))


def scatter(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    """Whiskers are bounds, and the dotted line joins the runs that no other one beats."""
    x, y, colour, symbol = (choices[key] for key in ("x", "y", "colour", "symbol"))
    looks = Looks.of(everything, rows, colour=colour, symbol=symbol)  # means over seeds have no seed
    diameters = mark_sizes(rows, choices.get("size", ""))
    template, texts = hovers(rows)
    hollow = in_doubt(rows, x, y)
    few = len(rows) <= MOST_WHISKERS
    figure = go.Figure(layout=LAYOUT)
    for (hue, shape), group in rows.groupby([rows[colour].map(plain), rows[symbol].map(plain)], sort=True):
        figure.add_scatter(
            x=group[x],
            y=group[y],
            mode="markers",
            showlegend=False,
            cliponaxis=False,  # whole marks at an axis, too
            marker={
                "color": looks.colours[hue],
                "symbol": [f"{looks.symbols[shape]}{'-open' if each else ''}" for each in hollow[group.index]],
                "size": diameters[group.index],
                "opacity": 0.85,
                "line": {"width": np.where(hollow[group.index], 2, 1), "color": "white"},
            },
            error_x=whiskers(group, x, looks.colours[hue]) if few else None,
            error_y=whiskers(group, y, looks.colours[hue]) if few else None,
            customdata=texts.loc[group.index],
            hovertemplate=template,
        )
    add_legend(figure, rows, looks, colour, symbol)
    if hollow.any():
        mark = {"color": GREY, "symbol": "circle-open", "size": 10, "line_width": 2}
        figure.add_scatter(x=[None], y=[None], mode="markers", name=HOLLOW, marker=mark)
    scale = choices.get("scale", "linear")
    if has_frontier(scatter, choices):
        add_frontier(figure, rows, x, y, scale)
    up_scale = "log" if y in ("ms", "network_ms") else "linear"
    figure.update_xaxes(title_text=label(x), autorangeoptions=around(rows[x], scale), **ticks(rows[x], scale))
    figure.update_yaxes(
        title_text=label(y),
        rangemode="nonnegative",
        autorangeoptions=around(rows[y], up_scale),
        **ticks(rows[y], up_scale),
    )
    return figure


def around(values: pd.Series, scale: str) -> dict[str, float]:
    """Bounds of an axis by its marks alone: longer whiskers run out of the drawing, and flatten nothing."""
    known = values[values > 0] if scale == "log" else values
    known = np.log(known.astype(float)) if scale == "log" else known.astype(float)
    known = known[np.isfinite(known)]
    if known.empty:
        return {}
    low, high = known.min(), known.max()
    margin = MARGIN * (high - low or abs(high) or 1)
    ends = np.array([low - margin, high + margin])
    low, high = np.exp(ends) if scale == "log" else ends
    return {"clipmin": float(low), "clipmax": float(high)}


def has_frontier(draw: Callable, choices: Choices) -> bool:
    """Whether a figure drawn by `draw` has what is given on one axis, and what that costs on the other one."""
    if draw is not scatter:
        return False
    x, y = choices["x"], choices["y"]
    return (x in GAINS) != (y in GAINS) and bool(AXES[x].better and AXES[y].better)


def add_legend(figure: go.Figure, rows: pd.DataFrame, looks: Looks, colour: str, symbol: str) -> None:
    """Colours and shapes apart, as the paper has them, not each combination."""
    for name, looked, key in ((colour, looks.colours, "color"), (symbol, looks.symbols, "symbol")):
        for value in sorted(set(map(plain, rows[name]))):
            figure.add_scatter(
                x=[None],
                y=[None],
                mode="markers",
                name=html.escape(value),
                marker={"color": GREY, "symbol": "circle", "size": 10, key: looked[value]},
            )
    figure.update_layout(legend_itemclick=False, legend_itemdoubleclick=False)


def mark_sizes(rows: pd.DataFrame, name: str) -> pd.Series:
    """Diameters whose squares grow with the values; the smallest where there is none."""
    if name not in rows:
        return pd.Series(SMALLEST + 3, rows.index)
    areas = rows[name].astype(float).fillna(0)
    return SMALLEST + (LARGEST - SMALLEST) * np.sqrt(areas / (areas.max() or 1))


def whiskers(rows: pd.DataFrame, name: str, colour: str) -> dict | None:
    low, value, high = bounds(rows, name).T
    up, down = np.nan_to_num(high - value), np.nan_to_num(value - low)
    if not (up.any() or down.any()):
        return None
    style = {"thickness": 1, "width": 0, "color": colour}
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, **style}


def in_doubt(rows: pd.DataFrame, x: str, y: str) -> pd.Series:
    """Whose time was disturbed, or whose accuracy says nothing because it was hardly trained, where that is shown."""
    found = np.zeros(len(rows), dtype=bool)
    for name in (x, y):
        found |= doubtful(rows, name) | (untrained(rows) if name in ACCURACY else False)
    return pd.Series(found, rows.index)


def frontier(rows: pd.DataFrame, x: str, y: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that no other one beats, from left to right, and those that may be on it, too: see `results.bounds`."""
    on, maybe = results_frontier(rows, x, y, (AXES[x].better == "low", AXES[y].better == "low"))
    return rows[on].sort_values(x), rows[maybe]


def add_frontier(figure: go.Figure, rows: pd.DataFrame, x: str, y: str, scale: str) -> None:
    best, maybe = frontier(rows, x, y)
    if len(maybe) and len(rows) <= MOST_WHISKERS:
        ring = {"color": GREY, "symbol": "circle-open", "size": LARGEST, "line_width": 1, "opacity": 0.6}
        figure.add_scatter(x=maybe[x], y=maybe[y], mode="markers", name=MAYBE, marker=ring, hoverinfo="skip")
    figure.add_scatter(
        x=best[x],
        y=best[y],
        mode="lines+text" if len(best) <= MOST_NAMES else "lines",
        text=[f" {html.escape(name)} <br> " for name in short_names(best)],  # clear of the mark
        cliponaxis=False,
        textposition=name_sides(best[x], rows[x], scale),
        textfont={"size": 11, "color": GREY},
        name="frontier: not beaten by any other",
        line={"color": GREY, "dash": "dot", "width": 1.5},
        hoverinfo="skip",
    )


def name_sides(values: pd.Series, among: pd.Series, scale: str) -> list[str]:
    """Where nothing lies, left of a frontier, unless the axis is too near."""
    values, among = (np.log(each) if scale == "log" else each for each in (values, among))
    near = among.min() + 0.3 * (among.max() - among.min())
    return ["top right" if value < near else "top left" for value in values]
