"""The figures of Huang et al. 2017, of any table of runs; each is a pure function of the table."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.axes import AXES, TIMED, capital, hovers, label, plain
from tradeoffs.dashboard.bars import SIZES, by_object_size, memory_bars, time_bars
from tradeoffs.dashboard.filters import panels
from tradeoffs.dashboard.lines import by_operating_point, by_resolution, paths
from tradeoffs.dashboard.scatter import Choices, scatter
from tradeoffs.dashboard.style import COLOURS, LAYOUT
from tradeoffs.model_facts import OperatingPoint, points_of
from tradeoffs.results.columns import ACCURACY, POINTS, headline
from tradeoffs.task_facts import scores_of

THRESHOLDS = {"AP50": "AP at IoU 0.5", "AP75": "AP at IoU 0.75"}

SCORE = "score"  # stands for what most of the shown runs are compared by
ALIKE = ("backbone", "model", "image_size", *POINTS, "data", "device", "sweep")


class Figure(NamedTuple):
    """`needs` are columns beside those chosen as x and y, `shows` those that it can do without.

    `choices` are what can be chosen, with the default. Of runs that differ in a column of `largest` alone, it has that
    where it is largest. A figure of lines joins runs that differ in the column `along`; `remedy` fills an empty one.
    """

    title: str
    number: str  # in the paper
    caption: str
    draw: Callable[[pd.DataFrame, pd.DataFrame, Choices], go.Figure]  # of these rows, among all
    choices: Choices
    needs: tuple[str, ...] = ()
    barred: bool = False  # a bar for each run, so only some fit
    shows: tuple[str, ...] = ()
    largest: tuple[str, ...] = ()
    along: str | None = None
    remedy: str = "Filters may have left out the others."

    def of(self, rows: pd.DataFrame) -> Figure:
        """With a score in the place of `SCORE`."""
        name = headline(rows)
        needs, shows = (tuple(name if each == SCORE else each for each in part) for part in (self.needs, self.shows))
        choices = {key: name if value == SCORE else value for key, value in self.choices.items()}
        return self._replace(needs=needs, shows=shows, choices=choices)

    def fits(self, table: pd.DataFrame) -> bool:
        """Whether tasks in the table have the scores that it shows, and models the operating point."""
        scores = {name for task in table["task"].unique() for name in scores_of(task)}
        known = scores | points_of(table["model"].unique())
        this = self.of(table)
        return known.issuperset((ACCURACY.keys() | POINTS.keys()) & {*this.needs, *this.shows, *this.choices.values()})

    def columns(self, choices: Choices) -> list[str]:
        return list(dict.fromkeys([*(choices[key] for key in ("x", "y") if key in choices), *self.needs]))

    def heading(self, choices: Choices) -> str:
        """What it shows, with the axes that were chosen."""
        axes = [name for name in ("y", "x") if name in choices]
        if all(choices[name] == self.choices[name] for name in axes):
            return self.title
        text = " against ".join(AXES[choices[name]].title for name in axes)
        return capital(text if len(axes) > 1 else f"{text} of each model")

    def groups(self, rows: pd.DataFrame, choices: Choices) -> list[tuple[str, pd.DataFrame]]:
        """The rows that compare with each other and of which something is drawn, each group with its title."""
        usable = self.drawable(rows, choices)
        found = panels(usable, self.timed(choices)) if len(usable) else []
        return [(title, group) for title, group in found if self.along is None or any(paths(group, self.along))]

    def timed(self, choices: Choices) -> bool:
        """Whether what it shows depends on the device."""
        return any(name in TIMED for name in (*self.columns(choices), *self.shows))

    def drawable(self, rows: pd.DataFrame, choices: Choices) -> pd.DataFrame:
        """The rows that it shows."""
        rows = rows[self.whole(rows, choices)]
        for name in self.largest:
            most = rows.groupby(self.alike, dropna=False)[name].transform("max")
            rows = rows[most.isna() | (rows[name] == most)]
        return rows

    def lacking(self, rows: pd.DataFrame, choices: Choices) -> int:
        """How many models have no row that could be shown. A row that differs in `largest` alone is no other model."""
        whole = self.whole(rows, choices)
        if not self.largest:
            return int((~whole).sum())
        keys = [rows[name].map(plain) for name in (*self.alike, *self.largest)]
        counts = pd.DataFrame({"whole": whole, "lost": ~whole}).groupby(keys).sum()
        models = counts.groupby(level=self.alike)
        elsewhere = models["whole"].transform("sum") - counts["whole"]
        return int(counts["lost"].where(elsewhere == 0, 0).groupby(level=self.alike).max().sum())

    def whole(self, rows: pd.DataFrame, choices: Choices) -> pd.Series:
        """Which rows have all it needs; what failed or was stopped early is no result."""
        known = np.isfinite(rows[self.columns(choices)].astype(float)).all(axis=1)
        return known & (rows["status"] == "finished")

    @property
    def alike(self) -> list[str]:
        return [name for name in ALIKE if name not in self.largest]


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


def figures_of(rows: pd.DataFrame, table: pd.DataFrame) -> dict[str, Figure]:
    """Those that the tasks of the table have the scores for, with the score that most of the rows are compared by."""
    return {name: figure.of(rows) for name, figure in FIGURES.items() if table.empty or figure.fits(table)}


def by_point(point: OperatingPoint) -> Figure:
    """Figure 6 of the paper, of any operating point."""
    name, title, values = point
    return Figure(
        *(f"Accuracy and time by {title}", "6"),
        f"Models with fewer and more {title}: accuracy (solid, left) and time (dotted, right), each with the largest "
        "images that it was run with.",
        *(partial(by_operating_point, name=name), {"scale": "linear"}, (name,)),
        shows=(SCORE, "ms"),
        largest=("image_size",),
        along=name,
        remedy=f"This scores a model with several: "
        f"python evaluate.py run=NAME {name}={','.join(map(str, values))} measure=true",
    )


LOOKS = {"colour": "backbone", "symbol": "model"}
FIGURES = {
    "frontier": Figure(
        *("Accuracy against time", "2"),
        "Each mark is a model; up is more accurate, left is faster. The dotted line joins those that no other one "
        "beats. A disturbed time is a hollow mark and counts as slow as its slow turns. Colour tells the "
        "backbone, shape the architecture, and a larger mark needs more memory.",
        *(scatter, {"x": "ms", "y": SCORE, **LOOKS, "size": "memory", "scale": "log"}),
    ),
    "backbone": Figure(
        *("Accuracy by backbone", "3"),
        "Does a backbone that is better on ImageNet do better here? Its top-1 accuracies are those of table 2 of the "
        "paper; other backbones are left out.",
        *(scatter, {"x": "backbone_accuracy", "y": SCORE, **LOOKS, "size": "", "scale": "linear"}),
        largest=(*POINTS,),
    ),
    "objects": Figure(
        *("Accuracy by size of objects", "4"),
        "Accuracy on small (below 32² pixels), medium and large (above 96²) objects, the best model first.",
        *(by_object_size, {}, (SCORE, *SIZES)),
        barred=True,
        largest=(*POINTS,),
    ),
    "resolution": Figure(
        *("Small and large objects by image size", "5"),
        "The same model with images of several sizes, joined by a line: what a larger image gives on small objects "
        "and on large ones. Two-stage models have the most proposals that they were run with.",
        *(by_resolution, {"x": "AP_large", "y": "AP_small", "scale": "linear"}, ("image_size",)),
        largest=(*POINTS,),
        along="image_size",
        remedy="This trains one with two sizes: python train.py -m image_size=300,600",
    ),
    **{point.title: by_point(point) for point in POINTS.values()},
    "time": Figure(
        *("Time in parts", "7"),
        "What the time of an image is spent on, the fastest model first.",
        *(time_bars, {}, ("ms", "network_ms", "postprocessing_ms")),  # and proposals_ms, which few models have
        barred=True,
        largest=(*POINTS,),
    ),
    "arithmetic": Figure(
        *("Time against multiply-adds", "8"),
        "Multiply-adds say little about time: models above the crowd take long for what they compute.",
        *(scatter, {"x": "multiply_adds", "y": "ms", **LOOKS, "size": "", "scale": "log"}),
    ),
    "memory": Figure(
        *("Memory of each model", "9"),
        "The most memory that a large batch takes, the leanest model first.",
        *(memory_bars, {"x": "memory"}),
        barred=True,
        largest=(*POINTS,),
    ),
    "memory_time": Figure(
        *("Time against memory", "10"),
        "Memory against time: what is small is mostly fast.",
        *(scatter, {"x": "memory", "y": "ms", **LOOKS, "size": "", "scale": "log"}),
    ),
    "thresholds": Figure(
        *("AP50 and AP75 against mAP", "11"),
        "Average precision at a loose and at a strict threshold against the mAP, which averages over ten of them.",
        *(thresholds, {}, ("mAP", *THRESHOLDS)),
    ),
}
