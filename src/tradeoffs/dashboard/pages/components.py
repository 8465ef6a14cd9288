"""Components that pages have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import dcc, html

from tradeoffs.dashboard import address, notes
from tradeoffs.dashboard.address import View
from tradeoffs.dashboard.pictures import picture_address
from tradeoffs.dashboard.store import Store

FIRST_COMMAND = "python train.py experiment=demo"
IMAGE = {"format": "png", "scale": 2}
CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
    "edits": {"shapePosition": True},  # of the line that is a limit
}


def no_runs(store: Store) -> html.Div:
    if count := store.unfinished():
        said = "1 run is at work; it appears" if count == 1 else f"{count} runs are at work; each appears"
        return html.Div(html.H1(f"{said} when it is finished."), className="empty")
    start = html.P(["Start with: ", html.Code(FIRST_COMMAND)])
    return html.Div([html.H1(f"No runs in {store.root}/ yet."), start], className="empty")


def problem(text: str) -> html.Div:
    return html.Div([html.H1("Not found"), html.P(text)], className="empty")


def notes_of(table: pd.DataFrame, view: View, path: str) -> list[html.Li]:
    """What the address names in vain, and what is not shown, with links that show it."""
    links = [
        html.Li([f"{each.text} ", dcc.Link("Show them, too", href=path + address.write(each.view))])
        for each in notes.hidden(table, view)
    ]
    return [*map(html.Li, notes.in_vain(table, view)), *links]


def graph(figure: go.Figure, name: str, **more: Any) -> dcc.Graph:
    """As high as the figure says from the beginning, so that nothing below moves when it is drawn."""
    config = {**CONFIG, "toImageButtonOptions": {**IMAGE, "filename": name}}
    return dcc.Graph(figure=figure, config=config, style={"height": figure.layout.height}, **more)


def section(title: str, *content: Any, kind: str = "panel") -> html.Section:
    return html.Section([html.H2(title), *content], className=kind, **{"aria-label": title})


def rows_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> html.Div:
    """The first cell of a row is its head."""
    body = [html.Tr([html.Th(first, scope="row"), *map(html.Td, others)]) for first, *others in rows]
    head = html.Thead(html.Tr([html.Th(each, scope="col") for each in heads]))
    return html.Div(html.Table([head, html.Tbody(body)]), className="scroll", tabIndex=0)


def picture(run: str, image_id: int, name: str, caption: str, score: float | None = None) -> html.Figure:
    described = f"{name}: {caption}"
    return html.Figure([html.Img(src=picture_address(run, image_id, score), alt=described), html.Figcaption(described)])
