"""A limit in the main figure: a line to be dragged or a number to be typed, and which run is best within it."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from tradeoffs.dashboard import address, filters
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, choices_in
from tradeoffs.dashboard.figures import Figure
from tradeoffs.dashboard.pages import controls
from tradeoffs.dashboard.scatter import Choices, has_frontier
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.style import GREY
from tradeoffs.results.answer import answers, left_out
from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.question import Limit, Question

MOST = 6  # answers, for as many groups of runs that compare
BESIDE = 1.04  # of the largest value, where the line waits to be dragged


def applies(figure: Figure, choices: Choices) -> bool:
    """Whether the figure shows what it costs against what it gives, and the results can answer that."""
    return has_frontier(figure.draw, choices) and {choices["x"], choices["y"]} <= COLUMNS.keys()


def asked(view: View, choices: Choices) -> Question | None:
    """What the address asks; None where it has no limit, or none that is a number."""
    try:
        value = float(first(view, "limit", "nan"))
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    return Question((Limit(choices["x"], value, AXES[choices["x"]].better == "low"),), choices["y"])


def components(store: Store, view: View, figure: Figure) -> list:
    """A field for the limit, and the answers; nothing below figures that have no costs and gains."""
    choices = choices_in(view, figure.choices)
    if not applies(figure, choices):
        return []
    side = "at most" if AXES[choices["x"]].better == "low" else "at least"
    field = dcc.Input(
        id={"setting": "limit"},
        value=controls.wanted_value(store.table(), view, "limit"),
        inputMode="decimal",
        debounce=True,
        placeholder="or drag the line",
    )
    caption = f"Which is best with {AXES[choices['x']].label} {side}"
    found = html.Div(answer_components(store, view, figure), id={"answers": 0}, **{"aria-live": "polite"})
    return [html.Div([controls.field("limit", caption, field), found], className="question")]


def answer_components(store: Store, view: View, figure: Figure) -> list:
    """A sentence for each group of runs that compare, with its doubts."""
    choices = choices_in(view, figure.choices)
    question = asked(view, choices)
    if question is None:
        text = first(view, "limit")
        return [html.P(f"{text} is no number; write one such as 30, or 12.5.")] if text else []
    rows = filters.selected(store.table(), view)
    found = answers(rows, question, store.root)
    if not found:
        return [html.P("None of these runs has both numbers.")]
    more = [f"Only {MOST} of {len(found)} groups of runs that compare are answered for."] if len(found) > MOST else []
    return [
        *(
            html.Div([html.P(html.Strong(each.sentence)), html.Ul([html.Li(doubt) for doubt in each.doubts])])
            for each in found[:MOST]
        ),
        *(html.P(text) for text in [*more, left_out(rows, question)] if text),
    ]


def draw(drawn: go.Figure, table: pd.DataFrame, view: View, figure: Figure) -> None:
    """The line, at the limit or beside all marks."""
    choices = choices_in(view, figure.choices)
    if not applies(figure, choices):
        return
    question = asked(view, choices)
    values = [x for trace in drawn.data for x in (trace.x if trace.x is not None else []) if x is not None]
    if not values:
        return
    place = question.limits[0].value if question else max(values) * BESIDE
    if place <= 0 and drawn.layout.xaxis.type == "log":
        return
    ends = drawn.layout.xaxis.autorangeoptions
    if ends.clipmax is not None:  # the line is to be seen, wherever it is
        ends.update(clipmin=min(ends.clipmin, place / BESIDE), clipmax=max(ends.clipmax, place * BESIDE))
    drawn.add_shape(
        type="line",
        x0=place,
        x1=place,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": GREY, "width": 3 if question else 2, "dash": "solid" if question else "dash"},
        label={"text": "limit" if question else "drag me: a limit", "textposition": "start", "font": {"color": GREY}},
    )


def register(app: Dash, store: Store) -> None:
    @app.callback(
        Output("url", "search", allow_duplicate=True),
        Input({"graph": ALL}, "relayoutData"),
        State("url", "search"),
        prevent_initial_call=True,
    )
    def drag(moves: list[dict | None], search: str) -> Any:
        """To where the line was dragged, in three digits."""
        move = next((each["value"] for each in ctx.triggered if each["value"]), None) or {}
        ends = [move[key] for key in ("shapes[0].x0", "shapes[0].x1") if key in move]
        if not ends:
            return no_update
        value = sum(ends) / len(ends)
        return address.write(address.changed(address.read(search), limit=f"{value:.3g}"))
