"""How many objects regions from outside the network find: pure functions of a table of `proposal_scores`."""

from __future__ import annotations

import html

import pandas as pd
import plotly.graph_objects as go

from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import formatted
from tradeoffs.dashboard.proposal_scores import SAME_IMAGES
from tradeoffs.dashboard.style import COLOURS, LAYOUT, SYMBOLS, assigned, ticks
from tradeoffs.results.data_marks import mark

TITLE = "Regions from outside the network"
CAPTION = (
    "Recall is the part of all objects that one of the first regions of an image overlaps, whatever their class: "
    "against the number of regions, and against the IoU from which an overlap counts."
)
MEASURES = {"0.5": "recall at IoU 0.5", "0.7": "recall at IoU 0.7", "average": "average recall, IoU 0.5 to 0.95"}
USUAL = {"recall": "0.5", "regions": "1000"}  # what a view need not name


def shown(table: pd.DataFrame, view: View) -> pd.DataFrame:
    """Of the data sets that the view names, if it does."""
    names = [name for name in view.get("data", []) if name]
    return table[table["data"].isin(names)] if names else table


def offered(table: pd.DataFrame) -> dict[str, list[str]]:
    """What can be chosen: a measure, and a number of regions that all were scored with."""
    everywhere = table.groupby("n")["folder"].nunique() == table["folder"].nunique()
    return {"recall": [*MEASURES], "regions": [str(n) for n in everywhere.index[everywhere]]}


def chosen(table: pd.DataFrame, view: View) -> dict[str, str]:
    """Of the view where it can be chosen, else what is usual, or the last."""
    can = offered(table)
    wanted = {name: (first(view, name), USUAL[name], *can[name][-1:]) for name in can}
    return {name: next((each for each in wanted[name] if each in can[name]), "") for name in can}


def remarks(table: pd.DataFrame, view: View) -> list[str]:
    """What the view names in vain, and that not all numbers compare."""
    can, count = offered(table), len(panels(shown(table, view)))
    said = [
        f"{name}={first(view, name)} cannot be chosen, and was not used."
        for name in USUAL
        if first(view, name) and first(view, name) not in can[name]
    ]
    if not count:
        said.append(f"None is of data={', '.join(view['data'])}; there are: {', '.join(sorted(set(table['data'])))}.")
    if count > 1:
        said.append(f"These are of {count} sets of images, whose numbers do not compare: each has its own figures.")
    return said


def panels(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Scores on the same images of the same data, the largest group first, each with its title."""
    groups = [group for _, group in table.groupby(SAME_IMAGES)]
    return [(title(group.iloc[0]), group) for group in sorted(groups, key=lambda group: -len(group))]


def title(row: pd.Series) -> str:
    return (
        f"{row['data']}, {row['split']}: {row['objects']:,} objects in {row['images']:,} images "
        f"(hash of the data: {mark(row['hash'])})"
    )


def drawings(table: pd.DataFrame, view: View) -> list[tuple[str, dict[str, go.Figure]]]:
    """Both figures of each panel, by their names."""
    recall, regions = chosen(table, view).values()
    found = []
    for title, rows in panels(shown(table, view)):
        drawn = {"recall": by_count(rows, table, recall)}
        if regions:
            drawn["recall_iou"] = by_iou(rows, table, regions)
        found.append((title, drawn))
    return found


def by_count(rows: pd.DataFrame, everything: pd.DataFrame, measure: str) -> go.Figure:
    rows = rows if measure == "average" else rows[rows["iou"] == float(measure)]
    figure = lines(rows, everything, "n")
    figure.update_xaxes(title_text="regions of an image, the first n", **ticks(rows["n"], "log"))
    figure.update_yaxes(title_text=MEASURES[measure])
    return figure


def by_iou(rows: pd.DataFrame, everything: pd.DataFrame, regions: str) -> go.Figure:
    figure = lines(rows[rows["n"].astype(str) == regions], everything, "iou")
    figure.update_xaxes(title_text="IoU")
    figure.update_yaxes(title_text=f"recall with the first {int(regions):,} regions")
    return figure


def lines(rows: pd.DataFrame, everything: pd.DataFrame, x: str) -> go.Figure:
    """A line for each algorithm: the mean recall at each `x`. Looks do not depend on which rows are shown."""
    colours, symbols = (assigned(everything["label"], looks) for looks in (COLOURS, SYMBOLS))
    figure = go.Figure(layout=LAYOUT)
    for label, own in rows.groupby("label"):
        line = own.groupby(x)["recall"].mean()
        figure.add_scatter(
            x=line.index,
            y=line,
            mode="lines+markers",
            name=html.escape(label),
            showlegend=True,
            marker={"color": colours[label], "symbol": symbols[label], "size": 8},
            cliponaxis=False,  # whole marks at 0 and 1
            text=[hover(own.iloc[0])] * len(line),
            hovertemplate="%{text}<br>at %{x}: %{y:.3f}<extra></extra>",
        )
    figure.update_yaxes(range=[0, 1.02])
    figure.update_layout(height=460)
    return figure


def hover(row: pd.Series) -> str:
    timed = f"{formatted(row['ms'])} ms an image on {row['device']}" if row["ms"] >= 0 else "not timed"
    words = [f"{formatted(row['regions'])} regions an image", timed]
    return "<br>".join([f"<b>{html.escape(row['label'])}</b>", *map(html.escape, words)])
