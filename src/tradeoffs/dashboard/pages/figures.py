"""The page of the paper's figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from dash import ALL, Dash, Input, Output, State, ctx, dcc, html, no_update

from tradeoffs.dashboard import address, filters
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, GROUPING, NUMBERS, choices_in, label
from tradeoffs.dashboard.bars import MOST_BARS
from tradeoffs.dashboard.figures import FIGURES, Figure, figures_of
from tradeoffs.dashboard.lines import alone, paths
from tradeoffs.dashboard.pages import controls, limit
from tradeoffs.dashboard.pages.components import graph, no_runs, notes_of
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.style import HEIGHT
from tradeoffs.results.bounds import untrained
from tradeoffs.results.columns import ACCURACY
from tradeoffs.results.question import counted

MOST_PANELS = 6
AXES_NAMES = {
    "x": "Across",
    "y": "Up",
    "colour": "Colour",
    "symbol": "Shape",
    "size": "Size of marks",
    "scale": "Scale",
}


def layout(store: Store, view: View) -> list:
    nav = html.Nav(pills(store.table(), view), id="pills", className="pills", **{"aria-label": "Figures"})
    figure = html.Div([nav, html.Div(content(store, view), id="figure")])
    return [html.Div([controls.filter_bar(store.table(), view), figure], className="beside")]


def pills(table: pd.DataFrame, view: View) -> list:
    """A link to each figure, with the same filters."""
    kept = address.filters_of(view)
    now = first(view, "figure", "frontier")
    return [
        dcc.Link(
            figure.title,
            href="/" + address.write(address.changed(kept, figure=None if name == "frontier" else name)),
            className="pill current" if name == now else "pill",
        )
        for name, figure in figures_of(table, table).items()
    ]


def choosers(figure: Figure, choices: dict[str, str]) -> html.Div:
    fields = []
    for name, value in choices.items():
        values = {"scale": ("linear", "log")}.get(name, NUMBERS if name in ("x", "y", "size") else GROUPING)
        words = {each: each if name == "scale" else label(each) for each in values}
        control = dcc.Dropdown(
            id={"setting": name},
            options=[{"label": text, "value": each} for each, text in words.items()],
            value=value,
            clearable=name == "size",
            placeholder="all alike",
        )
        fields.append(controls.field(name, AXES_NAMES[name], control))
    return html.Div(fields, className="fields choosers")


def content(store: Store, view: View) -> list:
    """The figure that the view asks for: what it says, what to know about it, and a panel for runs that compare."""
    table = store.table()
    if table.empty:
        return [no_runs(store)]
    rows = filters.shown(table, view)
    figure = chosen_figure(rows, view)
    said, drawn = draw(figure, rows, table, view)
    heading = figure.heading(choices_in(view, figure.choices))
    return [
        html.H1(heading),
        html.P([figure.caption, html.Small(f" (As figure {figure.number} in Huang et al. 2017)")], className="caption"),
        html.Ul(said, className="remark", id={"remarks": 0}),
        *(panel(f"{heading}, {title}", title, each) for title, each in drawn.items()),
        *limit.components(store, view, figure),
        html.Div(id="chosen", className="chosen", **{"aria-live": "polite"}),
        choosers(figure, choices_in(view, figure.choices)),
    ]


def chosen_figure(rows: pd.DataFrame, view: View) -> Figure:
    return FIGURES.get(first(view, "figure", "frontier"), FIGURES["frontier"]).of(rows)


def draw(
    figure: Figure, rows: pd.DataFrame, table: pd.DataFrame, view: View
) -> tuple[list[html.Li], dict[str, go.Figure]]:
    """Remarks, and a drawing for each group of runs that compare, by its title. `rows` of the table are shown."""
    choices = choices_in(view, figure.choices)
    usable = figure.drawable(rows, choices)
    groups = figure.groups(rows, choices)
    said = remarks(figure, choices, rows, usable)
    if len(groups) > MOST_PANELS:
        said.append(f"Only the {MOST_PANELS} largest of {len(groups)} such groups are shown; filters choose others.")
    drawn = {title: figure.draw(group, table, choices) for title, group in groups[:MOST_PANELS]}
    for each in drawn.values():
        each.update_layout(height=each.layout.height or HEIGHT)
        limit.draw(each, table, view, figure)
    return [*notes_of(table, view, "/"), *map(html.Li, said)], drawn


def keep_zoom(figure: go.Figure, move: dict[str, Any]) -> None:
    """After the last `move` of its axes, as the graph told it: Dash forgets plotly's own memory of it."""
    for axis in ("xaxis", "yaxis", "yaxis2"):
        if (low := move.get(f"{axis}.range[0]")) is not None:
            figure.update_layout({axis: {"range": [low, move[f"{axis}.range[1]"]]}})


def panel(name: str, title: str, drawn: go.Figure) -> html.Section:
    described = f"{name}. The page Table has the same as text."
    return html.Section(
        [html.H2(title), graph(drawn, name, id={"graph": title})],
        className="panel",
        role="figure",
        **{"aria-label": described},
    )


def remarks(figure: Figure, choices: dict[str, str], rows: pd.DataFrame, usable: pd.DataFrame) -> list[str]:
    """All that has to be known before the figure is believed."""
    found = [filters.mixture(usable, figure.timed(choices)), filters.other_images(usable)]
    needed = [AXES[name].title.partition(",")[0] for name in figure.columns(choices)]
    if usable.empty:
        found.append(f"None of {counted(len(rows), 'model')} here has {listed(needed)}. {remedy(figure, choices)}")
    elif lacking := figure.lacking(rows, choices):
        found.append(
            f"Not shown: {lacking} of {counted(lacking + len(usable), 'model')}, without {listed(needed, 'or')}."
        )
    if figure.along and len(usable):
        found.extend(unjoined(figure.along, usable, figure.remedy))
    if figure.timed(choices):
        if random := int((usable["trained"] == False).sum()):  # noqa: E712 (None is not known)
            found.append(
                f"With random weights: {counted(random, 'model')} here. Only the network's time counts then; that of "
                "postprocessing depends on training."
            )
        if disturbed := int((usable["disturbed"] == True).sum()):  # noqa: E712
            times = counted(disturbed, "disturbed time")
            found.append(f"{times} here: other programs ran, or the turns differed by over a tenth.")
    if shows_accuracy(figure, choices) and (few := int(untrained(usable).sum())):
        found.append(f"Hardly trained: {counted(few, 'model')} here. Accuracy says little then.")
    if figure.barred and len(usable) > MOST_BARS:
        found.append(f"Only the best {MOST_BARS} are shown; filters choose others.")
    return [text for text in found if text]


def shows_accuracy(figure: Figure, choices: dict[str, str]) -> bool:
    return any(name in ACCURACY for name in figure.columns(choices))


def unjoined(along: str, usable: pd.DataFrame, remedy: str) -> Iterator[str]:
    """What a figure of lines cannot show of models that have a single place on them."""
    what, few = AXES[along].title, alone(usable, along)
    if not any(paths(usable, along)):
        yield f"No model here was run with several values of {what}, which a line would join. {remedy}"
    elif few:
        yield f"Not shown: {few} model{'s' * (few > 1)} with a single value of {what}."


def listed(names: list[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def remedy(figure: Figure, choices: dict[str, str]) -> str:
    if shows_accuracy(figure, choices):
        return "train.py and evaluate.py write accuracies; benchmark.py times models without training them."
    return figure.remedy


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("pills", "children"), Output("figure", "children")),
        Input("url", "search"),
        prevent_initial_call=True,
    )
    def show(search: str) -> tuple[list, list]:
        view = address.read(search)
        return pills(store.table(), view), content(store, view)

    @app.callback(
        *(Output("figure", "children", allow_duplicate=True), Output({"remarks": ALL}, "children")),
        *(Output({"graph": ALL}, "figure"), Output({"graph": ALL}, "style")),
        Output({"answers": ALL}, "children"),
        *(Input("version", "data"), State("url", "search")),
        *(State({"graph": ALL}, "id"), State({"graph": ALL}, "relayoutData")),
        prevent_initial_call=True,
    )
    def renew(version: int, search: str, ids: list[dict[str, str]], moves: list[dict | None]) -> tuple:
        """Draws new runs into the graphs that are there, which keeps zoom and focus, unless there are other groups."""
        view, titles = address.read(search), [each["graph"] for each in ids]
        kept = [[no_update] * len(each) for each in ctx.outputs_list[1:]]
        if not titles:
            return content(store, view), *kept
        rows = filters.shown(store.table(), view)
        figure = chosen_figure(rows, view)
        said, drawn = draw(figure, rows, store.table(), view)
        if list(drawn) != titles:
            return content(store, view), *kept
        for each, move in zip(drawn.values(), moves, strict=True):
            keep_zoom(each, move or {})
        heights = [{"height": each.layout.height} for each in drawn.values()]
        answers = [limit.answer_components(store, view, figure)] * len(ctx.outputs_list[4])
        return no_update, [said], list(drawn.values()), heights, answers

    @app.callback(Output("chosen", "children"), Input({"graph": ALL}, "clickData"), prevent_initial_call=True)
    def choose(clicks: list) -> Any:
        """Where the mark that was clicked leads."""
        click = next((each["value"] for each in ctx.triggered if each["value"]), None)
        if not click or not (run := click["points"][0].get("customdata", [None])[0]):
            return no_update
        first_run = address.write({"run": [run]})
        compare = address.write({"first": [run]})
        return [
            html.Strong(run),
            dcc.Link("Open this run", href=f"/run{first_run}", className="button"),
            dcc.Link("Compare it with another", href=f"/compare{compare}", className="button"),
        ]
