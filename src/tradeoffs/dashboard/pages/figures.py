"""The page of the paper's figures."""

from __future__ import annotations

import pandas as pd
from dash import ALL, Dash, Input, Output, ctx, dcc, html, no_update

from tradeoffs.dashboard import address, filters
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, GROUPING, NUMBERS, label
from tradeoffs.dashboard.figures import FIGURES, MOST_BARS, Figure
from tradeoffs.dashboard.pages import controls
from tradeoffs.dashboard.pages.parts import graph, no_runs
from tradeoffs.dashboard.store import Store

HEIGHT = 560  # pixels of a figure that does not say
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
    figure = [html.Nav(id="pills", className="pills", **{"aria-label": "Figures"}), html.Div(id="figure")]
    return [html.Div([controls.filter_bar(store.table(), view), html.Div(figure)], className="beside")]


def pills(view: View) -> list:
    """A link to each figure, with the same filters."""
    kept = address.filters_of(view)
    now = first(view, "figure", "frontier")
    return [
        dcc.Link(
            [figure.title, html.Small(f"figure {figure.number}")],
            href="/" + address.write(address.changed(kept, figure=None if name == "frontier" else name)),
            className="pill current" if name == now else "pill",
        )
        for name, figure in FIGURES.items()
    ]


def choices_of(figure: Figure, view: View) -> dict[str, str]:
    """What the view chooses, where it is something that can be chosen."""
    allowed = {"x": NUMBERS, "y": NUMBERS, "colour": GROUPING, "symbol": GROUPING, "size": ["", *NUMBERS]}
    allowed["scale"] = ("linear", "log")
    return {
        name: value if (value := first(view, name, usual)) in allowed[name] else usual
        for name, usual in figure.choices.items()
    }


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
        return [no_runs(store.root)]
    figure = FIGURES.get(first(view, "figure", "frontier"), FIGURES["frontier"])
    choices = choices_of(figure, view)
    rows = filters.shown(table, view)
    usable = figure.drawable(rows, choices)
    groups = filters.panels(usable, figure.timed(choices))
    return [
        html.H1(figure.title),
        html.P([figure.caption, html.Small(f" Figure {figure.number} of Huang et al. 2017.")], className="caption"),
        html.Ul([html.Li(text) for text in remarks(figure, choices, rows, usable)], className="remark"),
        *(panel(figure, choices, *group, table, place, view) for place, group in enumerate(groups[:MOST_PANELS])),
        html.Div(id="chosen", className="chosen", **{"aria-live": "polite"}),
        choosers(figure, choices),
    ]


def panel(
    figure: Figure,
    choices: dict[str, str],
    title: str,
    rows: pd.DataFrame,
    everything: pd.DataFrame,
    place: int,
    view: View,
) -> html.Section:
    drawn = figure.draw(rows, everything, choices)
    drawn.update_layout(uirevision=address.write(view), height=drawn.layout.height or HEIGHT)
    described = f"{figure.title}, {title}: {len(rows)} models. The page Table has the same as text."
    return html.Section(
        [
            html.H2(title),
            graph(drawn, f"{figure.title} {title}", id={"graph": place}),
        ],
        className="panel",
        role="figure",
        **{"aria-label": described},
    )


def remarks(figure: Figure, choices: dict[str, str], rows: pd.DataFrame, usable: pd.DataFrame) -> list[str]:
    """All that has to be known before the figure is believed."""
    found = [filters.mixture(usable, figure.timed(choices))]
    needed = [AXES[name].title.partition(",")[0] for name in figure.columns(choices)]
    if usable.empty:
        found.append(f"None of the {len(rows)} models here has {listed(needed)}. {remedy(figure, choices)}")
    elif len(usable) < len(rows):
        found.append(
            f"{len(rows) - len(usable)} of {len(rows)} models are not shown: they have no {listed(needed, 'or')}."
        )
    if figure.timed(choices):
        if untrained := int((usable["trained"] == False).sum()):  # noqa: E712 (None is not known)
            found.append(
                f"{untrained} of these models have random weights: their network's times count, those of decoding "
                "and suppression depend on training."
            )
        if disturbed := int((usable["disturbed"] == True).sum()):  # noqa: E712
            found.append(f"{disturbed} of these times were disturbed by other work on the machine.")
    if figure.barred and len(usable) > MOST_BARS:
        found.append(f"Only the best {MOST_BARS} are shown; filters choose others.")
    return [text for text in found if text]


def listed(names: list[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def remedy(figure: Figure, choices: dict[str, str]) -> str:
    if "mAP" in figure.columns(choices):
        return "train.py and evaluate.py write accuracies; benchmark.py times models without training them."
    return "Filters may have left out the others."


def register(app: Dash, store: Store) -> None:
    @app.callback(
        *(Output("pills", "children"), Output("figure", "children")),
        *(Input("url", "search"), Input("version", "data")),
    )
    def show(search: str, version: int) -> tuple[list, list]:
        view = address.read(search)
        return pills(view), content(store, view)

    @app.callback(Output("chosen", "children"), Input({"graph": ALL}, "clickData"), prevent_initial_call=True)
    def choose(clicks: list) -> list:
        """Where the mark that was clicked leads."""
        click = next((each["value"] for each in ctx.triggered if each["value"]), None)
        run = click and click["points"][0].get("customdata")
        if not run:
            return no_update
        first_run = address.write({"run": [run]})
        compare = address.write({"first": [run]})
        return [
            html.Strong(run),
            dcc.Link("Open this run", href=f"/run{first_run}", className="button"),
            dcc.Link("Compare it with another", href=f"/compare{compare}", className="button"),
        ]
