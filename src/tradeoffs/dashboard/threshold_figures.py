"""What is drawn of a run's scores: precision against recall, F1 against the threshold, and the confusion matrix."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from tradeoffs.dashboard.style import COLOURS, LAYOUT
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.curves import BestF1, Line, f1_lines, precision_lines
from tradeoffs.metrics.matches import Matches

OVERALL = "#000000"
CLASSES = [colour for colour in COLOURS if colour != OVERALL]
SHADES = ((0, "#ffffff"), (1, "#0072B2"))
FEW = 11  # rows up to which counts are written into the cells, and half of a page is enough


def precision_recall(matches: Matches, names: Sequence[str]) -> go.Figure:
    return drawn(precision_lines(matches, names), "recall", "precision")


def f1(matches: Matches, names: Sequence[str], best: BestF1 | None) -> go.Figure:
    figure = drawn(f1_lines(matches, names), "score", "F1")
    if best is not None:
        figure.add_vline(best.threshold, line={"color": OVERALL, "width": 1, "dash": "dot"})
    return figure


def drawn(lines: list[Line], x: str, y: str) -> go.Figure:
    figure = go.Figure(layout=LAYOUT)
    colours = iter(CLASSES)
    for line in lines:
        style = {"color": OVERALL, "width": 3} if line.overall else {"color": next(colours), "width": 1.5}
        style["dash"] = "dash" if line.dashed else "solid"
        figure.add_scatter(x=line.x, y=line.y, mode="lines", name=html.escape(line.name), line=style, showlegend=True)
    figure.update_layout(height=420, xaxis_title=x, yaxis_title=y)
    figure.update_xaxes(range=[0, 1])
    figure.update_yaxes(range=[0, 1.02])
    return figure


def confusion_matrix(confusion: Confusion) -> go.Figure:
    """A cell's shade is its part of the row, the objects of a true class."""
    counts = np.array(confusion.matrix)
    rows, columns = ([html.escape(name) for name in names] for names in (confusion.rows, confusion.columns))
    few = len(counts) <= FEW
    figure = go.Figure(layout=LAYOUT)
    figure.add_heatmap(
        z=counts / counts.sum(axis=1, keepdims=True).clip(min=1),
        **({"text": counts, "texttemplate": "%{text}"} if few else {}),
        hovertext=[
            [f"{row}, predicted: {column}: {count}" for column, count in zip(columns, cells, strict=True)]
            for row, cells in zip(rows, confusion.matrix, strict=True)
        ],
        hoverinfo="text",
        colorscale=SHADES,
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
    )
    places = list(range(len(counts)))
    figure.update_xaxes(
        tickvals=places, ticktext=columns, title="predicted", side="top", automargin=True, showgrid=False
    )
    figure.update_yaxes(tickvals=places, ticktext=rows, title="truth", autorange="reversed", automargin=True)
    figure.update_layout(height=200 + (34 if few else 16) * len(counts))
    return figure
