"""How marks look: colours that colour-blind people can tell apart, shapes, fonts."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import plotly.graph_objects as go

# Okabe and Ito 2008, without the yellow, which is too pale for lines on white; then Tol's "muted", darker.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F"),
    *("#882255", "#999933", "#332288", "#44AA99"),
)
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "hexagon", "triangle-down", "x", "pentagon")
GREY = "#475569"
HEIGHT = 560  # pixels of a figure that does not say
SMALLEST, LARGEST = 9.0, 26.0  # pixels of a mark's diameter
TICKS = "~g"  # whole numbers on logarithmic axes too, of which plotly would write the first digit
LAYOUT = go.Layout(
    template="plotly_white",
    font={"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": "#1e293b"},
    margin={"l": 64, "r": 16, "t": 16, "b": 56},
    hoverlabel={"align": "left", "font": {"size": 12}},
    legend={"orientation": "h", "yref": "container", "yanchor": "bottom", "y": 0, "x": 0, "traceorder": "normal"},
    colorway=COLOURS,
    dragmode="zoom",
)


def assigned(values: Iterable[object], looks: tuple[str, ...]) -> dict[str, str]:
    """A look for each value as text, by alphabet; after the last the first again."""
    return {value: looks[place % len(looks)] for place, value in enumerate(sorted(set(values)))}


def ticks(values: pd.Series, scale: str) -> dict[str, str]:
    """Of an axis: between one and three decades at 1, 2 and 5, where plotly would write all digits into each other."""
    positive = values[values > 0].astype(float)
    decades = np.log10(positive.max() / positive.min()) if scale == "log" and len(positive) else 0
    return {"type": scale, "tickformat": TICKS} | ({"dtick": "D2"} if 1 <= decades < 3 else {})
