"""The page of one run."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import pandas as pd
import yaml
from dash import Dash, Input, Output, State, dcc, html, no_update

from tradeoffs.dashboard import address, pictures, run_figures
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, formatted, setting
from tradeoffs.dashboard.pages import scores
from tradeoffs.dashboard.pages.components import graph, picture, problem, rows_table, section
from tradeoffs.dashboard.pages.controls import field
from tradeoffs.dashboard.picture_note import explained
from tradeoffs.dashboard.store import Store
from tradeoffs.errors import UserError
from tradeoffs.measure.load import doubt_about
from tradeoffs.metrics.mistakes import Mistakes
from tradeoffs.results.columns import ACCURACY
from tradeoffs.results.record import Record
from tradeoffs.task_facts import first_two

TILES = ("ms", "images_per_second", "multiply_adds", "parameters", "memory", "minutes")
SHOWN = 8  # images of a kind
NOTHING_FOUND = "no detection found an object"
TIMING = ("precision", "threads", "compile", "warmup", "repeats", "turns", "fused", "channels_last")


class PlainNumbers(yaml.SafeDumper):
    """Writes 0.00001, not 1.0e-05."""


def plain_float(dumper: PlainNumbers, value: float) -> yaml.ScalarNode:
    if not isfinite(value):
        return dumper.represent_float(value)
    text = setting(value)
    return dumper.represent_scalar("tag:yaml.org,2002:float", text if "." in text else f"{text}.0")


PlainNumbers.add_representer(float, plain_float)


def layout(store: Store, view: View) -> list:
    return [html.Div(id="run")]


def content(store: Store, run: str) -> list:
    if not run:
        return [problem("The address names no run; choose one in the table.")]
    try:
        record, row = store.record_and_row(run)
    except UserError as fault:
        return [problem(str(fault))]
    return [
        heading(run, record),
        html.Dl(list(tiles(row)), className="tiles"),
        *(html.P(text, className="remark") for text in doubts(record)),
        *sections(store, run, record),
    ]


def heading(run: str, record: Record) -> html.Div:
    who, compare = record.who, address.write({"first": [run]})
    size = who.image_size if isinstance(who.image_size, int) else "×".join(map(str, who.image_size))
    unfinished = [
        html.P([html.Strong(f"{record.status.capitalize()}: "), record.error or "no reason given"], className="remark")
    ]
    return html.Div(
        [
            html.H1(f"{who.model} {who.backbone}, {size} px"),
            html.P([html.Code(run), f" {who.task} on {who.data}, seed {who.seed}"], className="caption"),
            *(unfinished if record.status != "finished" else []),
            dcc.Link("Compare it with another", href=f"/compare{compare}", className="button"),
        ]
    )


def tiles(row: pd.Series) -> Iterator[html.Div]:
    """The numbers people ask for first, with their bounds."""
    scores = dict.fromkeys([row["headline"], *first_two(row["task"])])
    for name in (*scores, *TILES):
        if (text := formatted(row[name])) == "-":
            continue
        low, high = (formatted(row.get(f"{name}_{end}")) for end in ("low", "high"))
        over = "95 %" if name in ACCURACY else "its turns"
        bounds = [html.Small(f"{over}: {low} to {high}")] if low != "-" else []
        head = f"{AXES[name].title}{f', {AXES[name].unit}' if AXES[name].unit else ''}"
        yield html.Div([html.Dt(head), html.Dd([html.Strong(text), *bounds])])


def doubts(record: Record) -> Iterator[str]:
    if record.cost.get("trained") is False:
        yield "Random weights: the network's times count, those of postprocessing depend on training."
    if doubt := doubt_about(record.cost):
        yield f"{doubt[0].upper()}{doubt[1:]}; evaluate.py with measure=true takes them again."


def sections(store: Store, run: str, record: Record) -> Iterator[html.Section]:
    accuracy, cost = record.accuracy, record.cost
    for title, figure in curves_of(store, run).items():
        yield section(title, graph(figure, title), kind="panel half")
    if accuracy.get("per_class"):
        drawn = run_figures.class_bars(accuracy["per_class"])
        yield section("Accuracy by class (number of objects)", graph(drawn, "classes"), kind="panel half")
    if "AP_small" in (accuracy.get("summary") or {}):
        drawn = run_figures.size_bars(accuracy["summary"])
        yield section("Accuracy by size of the objects", graph(drawn, "sizes"), kind="panel half")
    if accuracy.get("errors"):
        drawn = run_figures.error_bars(accuracy["errors"])
        yield section("What goes wrong: AP50 that each kind of error costs", graph(drawn, "errors"), kind="panel half")
    yield from scores.sections(store, run, record)
    if cost.get("batches"):
        drawn = run_figures.clock_bars(cost["batches"])
        yield section(
            "Time in parts", graph(drawn, "time"), html.P(protocol(record), className="caption"), kind="panel half"
        )
    if accuracy:
        yield from images(store, run)
    config = pictures.config_of(store, run, record)
    text = html.Pre(yaml.dump(config, Dumper=PlainNumbers, sort_keys=False), tabIndex=0)
    yield section("Settings", html.Details([html.Summary(f"{len(config)} groups of settings"), text]))
    yield section("Where", rows_table(["what", "value"], [[key, short(value)] for key, value in record.where.items()]))


def short(value: Any) -> str:
    return "-" if value is None else str(value)


def protocol(record: Record) -> str:
    """How it was timed, in words."""
    settings = record.cost.get("protocol") or {}
    parts = [
        f"{name.replace('_', ' ')} {formatted(settings[name])}" for name in TIMING if settings.get(name) is not None
    ]
    return f"Medians on {record.where.get('device') or 'an unknown device'}. {', '.join(parts)}."


def curves_of(store: Store, run: str) -> dict[str, Any]:
    file = store.file(run, "metrics.csv")
    try:
        return run_figures.curves(pd.read_csv(file))
    except (OSError, ValueError, KeyError):  # none, being rewritten, or not as a run writes it
        return {}


def images(store: Store, run: str) -> Iterator[html.Section]:
    """Some images as they come, and those with the most mistakes."""
    try:
        names = pictures.names_of(store, run)
        found = pictures.mistakes_of(store, run)
        if not store.file(run, "predictions.json").is_file():
            raise UserError(f"{run} has no predictions.json, which train.py and evaluate.py write")
    except UserError as fault:
        yield section("Images", html.P(str(fault)))
        return
    chooser, note = [], explained(store, run)
    if found.threshold is not None:
        is_best = f"at {found.threshold:.2f} the F1 at an IoU of 0.5 is highest"
        note = f"{note} Solid lines: boxes with this score or more; {is_best if found.is_best else NOTHING_FOUND}."
        mark = slider(found.threshold, "best F1" if found.is_best else "")
        chooser = [field("score", "Least score of a box", mark)]
    drawn = html.Div(galleries(run, names, found), id="galleries")
    yield section("Images", html.P(note, className="caption"), *chooser, drawn)


def slider(score: float, mark: str) -> dcc.Slider:
    marks = {0: "0", 1: "1", rounded(score): mark}
    return dcc.Slider(0, 1, 0.01, value=rounded(score), marks=marks, id="score", updatemode="mouseup")


def rounded(score: float) -> float:
    return round(score, 2)


def galleries(run: str, names: dict[int, str], found: Mistakes) -> list:
    return [
        gallery(run, names, found.image_ids[:SHOWN], found),
        html.H2("Its worst images"),
        gallery(run, names, found.worst(SHOWN), found),
    ]


def gallery(run: str, names: dict[int, str], image_ids: list[int], found: Mistakes) -> html.Div:
    return html.Div(
        [picture(run, each, pictures.name_of(names, each), found.words(each), found.threshold) for each in image_ids],
        className="gallery",
    )


def register(app: Dash, store: Store) -> None:
    @app.callback(Output("run", "children"), Input("url", "search"))
    def show(search: str) -> list:
        return content(store, first(address.read(search), "run"))

    @app.callback(
        *(Output("galleries", "children"), Input("score", "value"), State("url", "search")), prevent_initial_call=True
    )
    def draw(score: float, search: str) -> Any:
        """At the best threshold, which the slider shows in two digits, that itself."""
        run = first(address.read(search), "run")
        try:
            best = pictures.threshold_of(store, run)
            found = pictures.mistakes_of(store, run, best if score == rounded(best) else score)
            names = pictures.names_of(store, run)
        except (UserError, TypeError):  # the run has gone by now, or nothing was typed
            return no_update
        return galleries(run, names, found)
