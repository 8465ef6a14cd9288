"""The page of all runs as a table: sorted, searched and paged by its address."""

from __future__ import annotations

import re

import pandas as pd
from dash import Dash, Input, Output, dcc, html

from tradeoffs.dashboard import address, filters, listing
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, label
from tradeoffs.dashboard.pages import controls
from tradeoffs.dashboard.pages.components import no_runs, notes_of
from tradeoffs.dashboard.store import Store
from tradeoffs.results.question import counted

ROWS = 25  # on a page; Dash takes milliseconds for each cell


def layout(store: Store, view: View) -> list:
    table = store.table()
    search = dcc.Input(
        id={"setting": "search"},
        value=first(view, "search"),
        type="search",
        debounce=0.4,
        placeholder="words, in any order",
    )
    columns = dcc.Dropdown(
        id={"setting": "columns"},
        options=[{"label": label(name), "value": name} for name in AXES],
        value=controls.wanted_value(table, view, "columns"),
        multi=True,
        placeholder="the usual ones",
    )
    fields = [controls.field("search", "Search", search), controls.field("columns", "Columns", columns)]
    inner = html.Div([html.Div(fields, className="fields two"), html.Div(content(store, view), id="table")])
    return [html.Div([controls.filter_bar(table, view), inner], className="beside")]


def content(store: Store, view: View) -> list:
    if store.table().empty:
        return [no_runs(store)]
    rows = listing.searched(filters.shown(store.table(), view), first(view, "search"))
    rows = listing.ordered(rows, *listing.order(view))
    pages = max(1, -(-len(rows) // ROWS))
    number = first(view, "page", "1")
    page = min(max(1, int(number) if re.fullmatch("[0-9]{1,9}", number) else 1), pages)
    mixed = filters.mixture(rows, timed=True).partition(":")[0]
    columns = listing.columns(rows, view)
    return [
        html.P(summary(rows, columns, filters.averaged(view)), className="caption", role="status"),
        html.Ul(notes_of(store.table(), view, "/table"), className="remark"),
        *([html.P(f"{mixed}. The best is marked among those that do.", className="remark")] if mixed else []),
        html.Div(
            table(rows, columns, view, page), className="scroll", tabIndex=0, role="region", **{"aria-label": "Runs"}
        ),
        paging(view, page, pages),
        *(html.P(fault, className="remark") for fault in store.faults()),
    ]


def summary(rows: pd.DataFrame, columns: list[str], averaged: bool) -> str:
    count = f"{counted(len(rows), 'model' if averaged else 'record')}."
    stars = f"{listing.STAR} the best value of its column, {listing.CLOSE} too close to it by their intervals."
    return " ".join(filter(None, [count, stars, listing.marks_explained(rows, columns)]))


def table(rows: pd.DataFrame, columns: list[str], view: View, page: int) -> html.Table:
    part = slice((page - 1) * ROWS, page * ROWS)
    names = listing.names(rows)
    marks = {name: listing.best(rows, name).iloc[part].to_list() for name in columns}
    texts = {name: listing.marked(rows.iloc[part], name) for name in columns}
    body = [
        html.Tr([run_cell(run, name), *(cell(texts[each][i], marks[each][i], each) for each in columns)])
        for i, (run, name) in enumerate(zip(rows.index[part], names[part], strict=True))
    ]
    return html.Table(
        [
            html.Thead(
                html.Tr([header("name", "run", view), *(header(each, listing.head(each), view) for each in columns)])
            ),
            html.Tbody(body),
        ]
    )


def header(name: str, text: str, view: View) -> html.Th:
    """A link that sorts by this column, the better end first; a second time the other way round."""
    by, descending = listing.order(view)
    best_is_low = AXES[name].better == "low" if name in AXES else True
    falling = not descending if by == name else not best_is_low and bool(name in AXES and AXES[name].better)
    href = "/table" + address.write(address.changed(view, sort=f"{'-' * falling}{name}", page=None))
    arrow = (" ▼" if descending else " ▲") if by == name else ""
    state = ("descending" if descending else "ascending") if by == name else "none"
    kind = "number" if name in AXES and AXES[name].better else None
    return html.Th(
        dcc.Link(text + arrow, href=href, title=f"sort by {text}"), scope="col", className=kind, **{"aria-sort": state}
    )


def run_cell(run: str, name: str) -> html.Th:
    return html.Th(dcc.Link(name, href=f"/run{address.write({'run': [run]})}", title=run), scope="row")


def cell(text: str, mark: str, name: str) -> html.Td:
    kind = "number" if AXES[name].better else None
    if mark == listing.STAR:
        return html.Td(html.Strong(f"{mark} {text}", title="the best"), className=kind)
    return html.Td(html.Span(f"{mark} {text}", title="too close to the best one") if mark else text, className=kind)


def paging(view: View, page: int, pages: int) -> html.Nav:
    steps = [("Earlier", page - 1), ("Later", page + 1)]
    links = [
        dcc.Link(text, href="/table" + address.write(address.changed(view, page=str(number))), className="button")
        for text, number in steps
        if 1 <= number <= pages
    ]
    return html.Nav([f"Page {page} of {pages}", *links], className="paging", hidden=pages == 1)


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("table", "children"), Input("url", "search"), Input("version", "data")), prevent_initial_call=True
    )
    def show(search: str, version: int) -> list:
        return content(store, address.read(search))
