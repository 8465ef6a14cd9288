"""Filters and choices, which are always what the address says."""

from __future__ import annotations

from typing import Any

import pandas as pd
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from tradeoffs.dashboard import address, filters
from tradeoffs.dashboard.address import FILTERS, View
from tradeoffs.dashboard.figures import FIGURES
from tradeoffs.dashboard.proposal_figures import USUAL
from tradeoffs.dashboard.store import Store
from tradeoffs.results.columns import TOGETHER

Value = str | list[str] | None
SEVERAL = (*FILTERS, "average", "columns")  # settings whose value is a list


def field(name: str, caption: str, control: Any, hidden: bool = False) -> html.Div:
    """A group, since Dash's lists name themselves by what is chosen in them."""
    named = {"role": "group", "aria-label": caption}
    return html.Div([html.Span(caption), control], className="field", id={"field": name}, hidden=hidden, **named)


def filter_bar(table: pd.DataFrame, view: View) -> html.Details:
    """A list for each filter that has something to choose, and the switch for seeds."""
    wanted = filters.chosen(table, view)
    fields = []
    for name, caption in FILTERS.items():
        values = filters.options(table, name)
        control = dcc.Dropdown(
            id={"filter": name}, options=values, value=wanted[name], multi=True, placeholder="all", maxHeight=320
        )
        fields.append(field(name, caption, control, hidden=needless(values, wanted[name])))
    switch = dcc.Checklist(
        id={"setting": "average"},
        options=[{"label": "average over seeds", "value": "yes"}],
        value=wanted_value(table, view, "average"),
        className="switch",
    )
    return html.Details(
        [html.Summary("Filters"), html.Div([*fields, switch], className="fields")], open=True, id="filters"
    )


def needless(values: list[str], wanted: list[str]) -> bool:
    return len(values) < 2 and not set(wanted) - set(values)


def usual_value(table: pd.DataFrame, view: View, name: str) -> list[str]:
    """Of a setting that the address does not name."""
    if name in FILTERS:
        others = {key: value for key, value in view.items() if key != name}
        return filters.defaults(table, others).get(name, []) if name in TOGETHER else []
    if name == "average":
        return ["yes"]
    if name in USUAL:
        return [USUAL[name]]
    figure = FIGURES.get(address.first(view, "figure", "frontier"))
    if figure is None or name not in figure.choices:
        return []
    return as_list(figure.of(filters.shown(table, view)).choices[name])


def wanted_value(table: pd.DataFrame, view: View, name: str) -> Value:
    """As the control takes it."""
    values = [value for value in view.get(name, usual_value(table, view, name)) if value]
    return values if name in SEVERAL else values[0] if values else ""


def as_list(value: Value) -> list[str]:
    return [value] if isinstance(value, str) and value else list(value or [])


def with_settings(table: pd.DataFrame, view: View, values: dict[str, Value]) -> View:
    """The view after something was chosen; what is usual needs no mention."""
    for name, value in values.items():
        given, usual = as_list(value), usual_value(table, view, name)
        view = address.changed(view, **{name: None if given == usual else given or [""]})
    return view


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("url", "search"), Output({"filter": ALL}, "value"), Output({"setting": ALL}, "value")),
        *(Input("url", "search"), Input({"filter": ALL}, "value"), Input({"setting": ALL}, "value")),
        Input("version", "data"),  # new runs may change what is usual
        *(State({"filter": ALL}, "id"), State({"setting": ALL}, "id")),
    )
    def settle(search: str, chosen: list, set_to: list, version: int, filter_ids: list, setting_ids: list) -> tuple:
        """One callback for both ways: from the address to the controls, and from a control to the address."""
        table, view = store.table(), address.read(search)
        names = [each["filter"] for each in filter_ids], [each["setting"] for each in setting_ids]
        if isinstance(ctx.triggered_id, dict):
            given = dict(zip(names[0] + names[1], chosen + set_to, strict=True))
            changes = {name: value for name, value in given.items() if is_triggered(name)}
            after = address.changed(with_settings(table, view, changes), page=None)
            return address.write(after) if after != view else no_update, *([no_update] * len(part) for part in names)
        return no_update, *([wanted_value(table, view, name) for name in part] for part in names)

    @app.callback(
        *(Output({"filter": ALL}, "options"), Output({"field": ALL}, "hidden")),
        *(Input("version", "data"), State({"filter": ALL}, "id"), State({"filter": ALL}, "value")),
        State({"field": ALL}, "id"),
        prevent_initial_call=True,
    )
    def offer(version: int, ids: list, values: list, fields: list) -> tuple[list, list]:
        """New runs may bring new values."""
        table = store.table()
        offered = {each["filter"]: filters.options(table, each["filter"]) for each in ids}
        chosen = {each["filter"]: as_list(value) for each, value in zip(ids, values, strict=True)}
        names = [each["field"] for each in fields]
        return list(offered.values()), [name in offered and needless(offered[name], chosen[name]) for name in names]


def is_triggered(name: str) -> bool:
    return any(
        name in triggered.values() for triggered in ctx.triggered_prop_ids.values() if isinstance(triggered, dict)
    )
