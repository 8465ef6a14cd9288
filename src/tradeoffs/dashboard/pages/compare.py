"""The page of two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
from dash import Dash, Input, Output, State, ctx, dcc, html, no_update

from tradeoffs.dashboard import address, comparison, pictures
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import formatted, label, setting
from tradeoffs.dashboard.pages.components import picture, problem, rows_table, section
from tradeoffs.dashboard.pages.controls import field
from tradeoffs.dashboard.picture_note import explained
from tradeoffs.dashboard.store import Store
from tradeoffs.errors import UserError
from tradeoffs.metrics.mistakes import Mistakes
from tradeoffs.results.data_marks import is_hash
from tradeoffs.results.statistics import Interval, difference

SHOWN = 6  # images
PAIR = ("first", "second")


def layout(store: Store, view: View) -> list:
    runs = offered(store, view)
    fields = [
        field(
            name,
            f"{name.capitalize()} run",
            dcc.Dropdown(id=name, options=runs, value=first(view, name) or None, maxHeight=480),
        )
        for name in PAIR
    ]
    return [
        html.H1("Two runs side by side"),
        html.Div(fields, className="fields two"),
        dcc.Loading(html.Div(id="compared")),
    ]


def offered(store: Store, view: View) -> list[str]:
    """All runs, and what the address names, which a list without it would forget before it was told to be missing."""
    return list(dict.fromkeys([*store.table().index, *(run for name in PAIR if (run := first(view, name)))]))


def content(store: Store, one: str, other: str) -> list:
    if not (one and other):
        return [html.P("Choose two runs.", className="caption")]
    if one == other:
        return [html.P("Choose two different runs.", className="caption")]
    try:
        records, rows = zip(*map(store.record_and_row, (one, other)), strict=True)
        configs = [pictures.config_of(store, run, record) for run, record in zip((one, other), records, strict=True)]
    except UserError as fault:
        return [problem(str(fault))]
    doubt = comparison.other_images(*rows)
    images, fault = ({}, "") if doubt else over_images(store, one, other)
    return [
        section("What differs in their settings", settings_table(*configs, *rows)),
        section(
            "What differs in their numbers",
            html.P(f"Differences are second minus first. {fault}", className="caption"),
            metrics_table(store.table(), *rows, images),
        ),
        *different_images(store, one, other, doubt),
    ]


def settings_table(first_config: dict, second_config: dict, one: pd.Series, other: pd.Series) -> Any:
    same = comparison.known_same_data(one, other)
    found = [
        *comparison.different_data(one, other),
        *comparison.different_settings(first_config, second_config, same),
    ]
    if not found:
        return html.P("Nothing that changes a result.")
    return rows_table(["setting", "first", "second"], [[key, setting(a), setting(b)] for key, a, b in found])


def metrics_table(table: pd.DataFrame, one: pd.Series, other: pd.Series, images: dict[str, Interval]) -> Any:
    rows = [
        [
            label(row.name),
            formatted(row.first),
            formatted(row.second),
            comparison.signed(row.second - row.first),
            [html.Div(text) for text in row.verdicts],
        ]
        for row in comparison.metric_rows(table, one, other, images)
    ]
    return rows_table(["metric", "first", "second", "difference", "is it more than chance?"], rows)


def over_images(store: Store, one: str, other: str) -> tuple[dict[str, Interval], str]:
    """Differences in accuracy over the images that both were scored on, or why there are none."""
    try:
        files = [pictures.evidence_file(store, run) for run in (one, other)]
        return bootstrap(*files, *(file.stat().st_mtime_ns for file in files)), ""
    except UserError as fault:
        return {}, f"How sure differences in accuracy are over the images is not known: {fault}."


@lru_cache(maxsize=64)
def bootstrap(first_file: Path, second_file: Path, *written_at: int) -> dict[str, Interval]:
    files = zip((first_file, second_file), written_at, strict=True)
    return difference(*(pictures.read_evidence(file, at) for file, at in files))


def different_images(store: Store, one: str, other: str, doubt: str | None) -> Iterator[html.Section]:
    """Those where one of both makes far more mistakes than the other; `doubt` says why there are none."""
    if doubt:
        yield section("Images", html.P(f"The two runs: {doubt}."))
        return
    try:
        found = [pictures.mistakes_of(store, run) for run in (one, other)]
        places = [pictures.place_of_data(store, run) for run in (one, other)]
        names = pictures.names_of(store, one)
    except UserError as fault:
        yield section("Images", html.P(str(fault)))
        return
    if places[0] != places[1] and not is_hash(store.record_and_row(one)[1]["images"]):
        yield section("Images", html.P("The two runs were scored on different images."))
        return
    both = sorted({*found[0].image_ids} & {*found[1].image_ids})
    most = sorted(both, key=lambda image: -abs(found[0].total(image) - found[1].total(image)))[:SHOWN]
    pairs = [pair(image, pictures.name_of(names, image), one, other, *found) for image in most]
    note = explained(store, one)
    if found[0].threshold is not None:
        note = f"{note} Solid lines: boxes from the score on at which the F1 of the run is highest."
    yield section(
        "The images where they differ most", html.P(note, className="caption"), html.Div(pairs, className="pairs")
    )


def pair(image: int, name: str, one: str, other: str, first_found: Mistakes, second_found: Mistakes) -> html.Div:
    return html.Div(
        [
            picture(one, image, name, f"first, {first_found.words(image)}"),
            picture(other, image, name, f"second, {second_found.words(image)}"),
        ],
        className="pair",
    )


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("compared", "children"), Output("first", "value"), Output("second", "value")),
        Input("url", "search"),
    )
    def show(search: str) -> tuple:
        one, other = (first(address.read(search), name) for name in PAIR)
        # A page that has just come has its values, and some other may be chosen by now.
        values = (no_update, no_update) if ctx.triggered_id is None else (one or None, other or None)
        return content(store, one, other), *values

    @app.callback(
        *(Output("first", "options"), Output("second", "options")),
        *(Input("version", "data"), State("url", "search")),
        prevent_initial_call=True,
    )
    def offer(version: int, search: str) -> tuple[list[str], list[str]]:
        return (offered(store, address.read(search)),) * 2

    @app.callback(
        Output("url", "search", allow_duplicate=True),
        *(Input("first", "value"), Input("second", "value"), State("url", "search")),
        prevent_initial_call=True,
    )
    def choose(one: str | None, other: str | None, search: str) -> Any:
        after = address.changed(address.read(search), first=one, second=other)
        return address.write(after) if after != address.read(search) else no_update
