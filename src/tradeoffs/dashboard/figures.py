"""The figures of Huang et al. 2017, of any table of runs; each is a pure function of the table."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import TIMED, hovers, label, plain
from tradeoffs.dashboard.bars import PARTS, SIZES, by_object_size, memory_bars, time_bars
from tradeoffs.dashboard.scatter import Choices, Looks, add_legend, scatter
from tradeoffs.dashboard.style import COLOURS, LAYOUT, ticks

THRESHOLDS = {"AP50": "AP at IoU 0.5", "AP75": "AP at IoU 0.75"}
SECOND = {"overlaying": "y", "side": "right", "tickmode": "auto", "showgrid": False}  # an axis of another unit

ALIKE = ("backbone", "model", "image_size", "num_proposals", "data", "device", "sweep")


class Figure(NamedTuple):
    """`needs` are columns beside those chosen as x and y, `shows` those that it can do without.

    `choices` are what can be chosen, with the default. Of runs that differ in the column `largest` alone, it has that
    where it is largest.
    """

    title: str
    number: str  # in the paper
    caption: str
    draw: Callable[[pd.DataFrame, pd.DataFrame, Choices], go.Figure]  # of these rows, among all
    choices: Choices
    needs: tuple[str, ...] = ()
    barred: bool = False  # a bar for each run, so only some fit
    shows: tuple[str, ...] = ()
    largest: str | None = None

    def columns(self, choices: Choices) -> list[str]:
        return list(dict.fromkeys([*(choices[key] for key in ("x", "y") if key in choices), *self.needs]))

    def timed(self, choices: Choices) -> bool:
        """Whether what it shows depends on the device."""
        return any(name in TIMED for name in (*self.columns(choices), *self.shows))

    def among(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that it is about."""
        if self.largest is None:
            return rows
        alike = [name for name in ALIKE if name != self.largest]
        most = rows.groupby(alike, dropna=False)[self.largest].transform("max")
        return rows[most.isna() | (rows[self.largest] == most)]

    def drawable(self, rows: pd.DataFrame, choices: Choices) -> pd.DataFrame:
        """The rows that have all it needs; what failed or was stopped early is no result."""
        rows = self.among(rows[rows["status"] == "finished"])
        return rows[np.isfinite(rows[self.columns(choices)].astype(float)).all(axis=1)]


def paths(rows: pd.DataFrame, along: str, columns: list[str]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Backbone, architecture and the most accurate row for each value of `along`, where there are two or more.

    Sweeps are not joined with each other, since they may have trained in other ways.
    """
    apart = ["backbone", "model", "sweep", *(["image_size"] if along == "num_proposals" else [])]
    for keys, group in rows.groupby(apart, sort=True, dropna=False):
        best = group.sort_values("mAP", na_position="first").drop_duplicates(along, keep="last")
        path = best[[along, *columns]].sort_values(along)
        if len(path) > 1:
            yield str(keys[0]), str(keys[1]), path


def by_resolution(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    x, y = choices["x"], choices["y"]
    looks = Looks.of(everything)
    figure = go.Figure(layout=LAYOUT)
    for backbone, model, path in paths(rows, "image_size", list(dict.fromkeys([x, y]))):
        figure.add_scatter(
            x=path[x],
            y=path[y],
            text=[f"{plain(size)} px" for size in path["image_size"]],
            mode="lines+markers+text",
            textposition="top center",
            textfont_size=11,
            hovertext=f"{html.escape(model)} {html.escape(backbone)}",
            showlegend=False,
            marker={"color": looks.colours[backbone], "symbol": looks.symbols[model], "size": 11},
            line={"color": looks.colours[backbone], "width": 1.5},
        )
    add_legend(figure, rows, looks, "backbone", "model")
    figure.update_xaxes(title_text=label(x), **ticks(rows[x], choices["scale"]))
    figure.update_yaxes(title_text=label(y))
    return figure


def by_proposals(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    """Accuracy solid, time dotted with an axis of its own."""
    looks = Looks.of(everything)
    figure = go.Figure(layout=LAYOUT)
    for backbone, model, path in paths(rows, "num_proposals", ["mAP", "ms"]):
        colour = looks.colours[backbone]
        look = {
            "x": path["num_proposals"],
            "mode": "lines+markers",
            "marker": {"color": colour, "symbol": looks.symbols[model], "size": 9},
            "name": f"{html.escape(model)} {html.escape(backbone)}",
            "showlegend": False,
        }
        for name, drawn in {"mAP": {"line_dash": "solid"}, "ms": {"line_dash": "dot", "yaxis": "y2"}}.items():
            if path[name].notna().any():
                figure.add_scatter(y=path[name], line_color=colour, **drawn, **look)
    add_legend(figure, rows, looks, "backbone", "model")
    figure.update_xaxes(title_text=label("num_proposals"), **ticks(rows["num_proposals"], choices["scale"]))
    figure.update_layout(
        yaxis={"title": f"{label('mAP')}, solid", "rangemode": "nonnegative"},
        yaxis2={"title": f"{label('ms')}, dotted", "rangemode": "tozero", **SECOND},
        margin_r=64,
    )
    return figure


def thresholds(rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> go.Figure:
    template, texts = hovers(rows)
    figure = go.Figure(layout=LAYOUT)
    for (name, title), colour, symbol in zip(THRESHOLDS.items(), COLOURS, ("circle", "square"), strict=False):
        figure.add_scatter(
            x=rows["mAP"],
            y=rows[name],
            mode="markers",
            name=title,
            marker={"color": colour, "symbol": symbol, "size": 10, "opacity": 0.85},
            customdata=texts,
            hovertemplate=template,
        )
    figure.update_xaxes(title_text=label("mAP"))
    figure.update_yaxes(title_text="AP at one IoU threshold")
    return figure


LOOKS = {"colour": "backbone", "symbol": "model"}
FIGURES = {
    "frontier": Figure(
        *("Accuracy against time", "2"),
        "Each mark is a model; up is more accurate, left is faster. The dotted line joins those that no other one "
        "beats. Colour tells the backbone, shape the architecture, and a larger mark needs more memory.",
        *(scatter, {"x": "ms", "y": "mAP", **LOOKS, "size": "memory", "scale": "log"}),
    ),
    "backbone": Figure(
        *("Detector and backbone", "3"),
        "Does a backbone that classifies better detect better? Top-1 accuracies on ImageNet are those of table 2 of "
        "the paper; other backbones are left out.",
        *(scatter, {"x": "backbone_accuracy", "y": "mAP", **LOOKS, "size": "", "scale": "linear"}),
        largest="num_proposals",
    ),
    "objects": Figure(
        *("Size of objects", "4"),
        "Accuracy on small (below 32² pixels), medium and large (above 96²) objects, the best model first.",
        *(by_object_size, {}, ("mAP", *SIZES)),
        barred=True,
        largest="num_proposals",
    ),
    "resolution": Figure(
        *("Resolution", "5"),
        "The same model with images of several sizes, joined by a line: what a larger image gives on small objects "
        "and on large ones. Two-stage models have the most proposals that they were run with.",
        *(by_resolution, {"x": "AP_large", "y": "AP_small", "scale": "linear"}, ("image_size",)),
        largest="num_proposals",
    ),
    "proposals": Figure(
        *("Number of proposals", "6"),
        "Two-stage models with fewer and more proposals: accuracy (solid, left) and time (dotted, right), each with "
        "the largest images that it was run with.",
        *(by_proposals, {"scale": "linear"}, ("num_proposals",)),
        shows=("mAP", "ms"),
        largest="image_size",
    ),
    "time": Figure(
        *("Time in parts", "7"),
        "What the time of an image is spent on, the fastest model first.",
        *(time_bars, {}, ("ms", *PARTS)),
        barred=True,
        largest="num_proposals",
    ),
    "arithmetic": Figure(
        *("FLOPs and time", "8"),
        "Multiply-adds say little about time: models above the crowd take long for what they compute.",
        *(scatter, {"x": "multiply_adds", "y": "ms", **LOOKS, "size": "", "scale": "log"}),
    ),
    "memory": Figure(
        *("Memory", "9"),
        "The most memory that a large batch takes, the leanest model first.",
        *(memory_bars, {"x": "memory"}),
        barred=True,
        largest="num_proposals",
    ),
    "memory_time": Figure(
        *("Memory and time", "10"),
        "Memory against time: what is small is mostly fast.",
        *(scatter, {"x": "memory", "y": "ms", **LOOKS, "size": "", "scale": "log"}),
    ),
    "thresholds": Figure(
        *("AP50 and AP75", "11"),
        "Average precision at a loose and at a strict threshold against the mAP, which averages over ten of them.",
        *(thresholds, {}, ("mAP", *THRESHOLDS)),
    ),
}
