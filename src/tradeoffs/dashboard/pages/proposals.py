"""The page of what regions from outside the network find."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from dash import Dash, Input, Output, dcc, html

from tradeoffs.dashboard import address
from tradeoffs.dashboard.address import View
from tradeoffs.dashboard.pages.components import graph, section
from tradeoffs.dashboard.pages.controls import field
from tradeoffs.dashboard.proposal_figures import CAPTION, MEASURES, TITLE, chosen, drawings, offered, remarks
from tradeoffs.dashboard.store import Store

COMMAND = "python -m tradeoffs.proposals"


def layout(store: Store, view: View) -> list:
    return [html.Div(content(store, view), id="proposals")]


def content(store: Store, view: View) -> list:
    table, faults = store.proposals()
    said = [html.P(fault, className="remark") for fault in faults]
    if table.empty:
        start = html.P(["This scores some: ", html.Code(COMMAND)])
        return [html.Div([html.H1(f"No regions were scored in {store.root}/ yet."), start], className="empty"), *said]
    return [
        html.H1(TITLE),
        html.P(f"{CAPTION} Pointing at a line tells the time of an image.", className="caption"),
        choosers(table, view),
        *(html.P(text, className="remark") for text in remarks(table, view)),
        *said,
        *(section(title, pair(title, drawn)) for title, drawn in drawings(table, view)),
    ]


def pair(title: str, drawn: dict[str, go.Figure]) -> html.Div:
    return html.Div([graph(each, f"{name}, {title}") for name, each in drawn.items()], className="pairs")


def choosers(table: pd.DataFrame, view: View) -> html.Div:
    captions = {"recall": "Recall", "regions": "Number of regions"}
    words = MEASURES | {n: f"{int(n):,}" for n in offered(table)["regions"]}
    now = chosen(table, view)
    fields = [
        field(
            name,
            captions[name],
            dcc.Dropdown(
                id={"setting": name},
                options=[{"label": words[each], "value": each} for each in values],
                value=now[name],
                clearable=False,
            ),
        )
        for name, values in offered(table).items()
    ]
    return html.Div(fields, className="fields two")


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("proposals", "children"), Input("url", "search"), Input("version", "data")), prevent_initial_call=True
    )
    def show(search: str, version: int) -> list:
        return content(store, address.read(search))
