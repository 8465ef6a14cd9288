"""Everything that a view shows, without a server: one HTML file that needs no network, or its figures one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from html import escape
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from tradeoffs.dashboard import filters, listing, notes, proposal_figures, theme
from tradeoffs.dashboard.address import View, first
from tradeoffs.dashboard.axes import AXES, choices_in
from tradeoffs.dashboard.figures import Figure, figures_of
from tradeoffs.dashboard.pages import limit
from tradeoffs.dashboard.scatter import Choices
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.style import HEIGHT
from tradeoffs.results.answer import answers
from tradeoffs.results.columns import COLUMNS, headline
from tradeoffs.results.question import Question, counted

STYLE = Path(__file__).with_name("assets") / "style.css"
# Sorts a table by the column whose head is clicked, by the numbers in `data-value` where there are any.
SORTING = """
document.querySelectorAll('th button').forEach(button => button.onclick = () => {
  const head = button.parentElement, rows = head.closest('table').tBodies[0];
  const falling = head.getAttribute('aria-sort') !== 'descending';
  const value = row => row.cells[head.cellIndex].dataset.value ?? row.cells[head.cellIndex].textContent;
  const compare = (a, b) => a === '' || b === '' ? (a === '') - (b === '')
    : (falling ? -1 : 1) * (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  head.parentElement.querySelectorAll('th').forEach(each => each.setAttribute('aria-sort', 'none'));
  head.setAttribute('aria-sort', falling ? 'descending' : 'ascending');
  [...rows.rows].sort((a, b) => compare(value(a), value(b))).forEach(row => rows.append(row));
});
"""


def report(store: Store, view: View) -> str:
    """A page with all figures that the runs of a view can fill, and their table."""
    rows, chosen = filters.shown(store.table(), view), filters.selected(store.table(), view)
    facts = {
        "Runs": f"{len(rows)}, from {len(chosen)} of {counted(len(store.table()), 'record')} in {store.root}/",
        "Filters": filters.described(store.table(), view),
        "Note": " ".join(notes.in_words(store.table(), view)),
        "Seeds": "averaged" if filters.averaged(view) else "each for itself",
        "Hardware": "; ".join(filters.options(rows, "device")),
        "Written": datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    }
    parts = [f"<p><strong>{name}</strong> {escape(text)}</p>" for name, text in facts.items() if text]
    now = first(view, "figure", "frontier")  # whose axes and looks the view may choose
    figures = figures_of(rows, store.table())
    parts += [
        section(figure, rows, store.table(), choices_in(view if name == now else {}, figure.choices))
        for name, figure in figures.items()
    ]
    parts += answered(store, view, figures.get(now, figures["frontier"]))
    parts += proposals(store, view)
    stars = f"{listing.STAR} the best value of its column, {listing.CLOSE} too close to it by their intervals."
    explained = f"{stars} {listing.marks_explained(rows, listing.usual_columns(rows))}".strip()
    parts += ["<h2>Table</h2>", f"<p>{explained}</p>", '<div class="scroll">', table_text(rows), "</div>"]
    return page("\n".join(parts))


def answered(store: Store, view: View, figure: Figure) -> list[str]:
    """What is best, within the limit of the view if it has one."""
    choices = choices_in(view, figure.choices)
    if not limit.applies(figure, choices):
        return []
    question = limit.asked(view, choices) or Question((), choices["y"])
    found = answers(filters.selected(store.table(), view), question, store.root)
    said = [(f"<strong>{escape(each.sentence)}</strong>", *map(escape, each.doubts)) for each in found]
    return [f"<p>{text}</p>" for texts in said for text in texts]


def proposals(store: Store, view: View) -> list[str]:
    """What regions from outside find; nothing where none were scored on data of the view."""
    table, faults = store.proposals()
    panels = proposal_figures.drawings(table, view)
    if not panels and not faults:
        return []
    said = [*faults, *(proposal_figures.remarks(table, view) if panels else [])]
    return [
        f"<h2>{proposal_figures.TITLE}</h2><p>{proposal_figures.CAPTION}</p>",
        *(f"<p class='remark'>{escape(text)}</p>" for text in said),
        *(
            f"<div class='panel'><h3>{escape(title)}</h3>{''.join(map(embedded, pair.values()))}</div>"
            for title, pair in panels
        ),
    ]


def drawings(store: Store, view: View) -> Iterator[tuple[str, go.Figure]]:
    """All figures that a view can fill, each with a name: numbered where it has several panels."""
    rows = filters.shown(store.table(), view)
    for name, figure in figures_of(rows, store.table()).items():
        groups = figure.groups(rows, figure.choices)
        for number, (_, group) in enumerate(groups, start=1):
            drawn = figure.draw(group, store.table(), figure.choices)
            yield f"{name}-{number}" if len(groups) > 1 else name, drawn
    panels = proposal_figures.drawings(store.proposals()[0], view)
    for number, (_, pair) in enumerate(panels, start=1):
        for name, drawn in pair.items():
            yield f"{name}-{number}" if len(panels) > 1 else name, drawn


def page(body: str) -> str:
    return "\n".join(
        [
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Speed/accuracy trade-offs</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            theme.HEAD,
            f"<style>{STYLE.read_text(encoding='utf-8')}</style><script>{get_plotlyjs()}</script></head>",
            f"<body><main><h1>Speed/accuracy trade-offs</h1>{body}</main><script>{SORTING}</script></body></html>",
        ]
    )


def section(figure: Figure, rows: pd.DataFrame, everything: pd.DataFrame, choices: Choices) -> str:
    """Nothing where no run has what the figure shows."""
    groups = figure.groups(rows, choices)
    if not groups:
        return ""
    usable, timed = figure.drawable(rows, choices), figure.timed(choices)
    head = (
        f"<h2>{escape(figure.heading(choices))}</h2><p>{escape(figure.caption)} "
        f"<small>(As figure {figure.number} in Huang et al. 2017)</small></p>"
    )
    mixed = escape(" ".join(filter(None, [filters.mixture(usable, timed), filters.other_images(usable)])))
    panels = [
        f"<div class='panel'><h3>{escape(title)}</h3>{embedded(figure.draw(group, everything, choices))}</div>"
        for title, group in groups
    ]
    return "\n".join([head, f"<p class='remark'>{mixed}</p>" if mixed else "", *panels])


def embedded(figure: go.Figure) -> str:
    return figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        default_height=figure.layout.height or HEIGHT,
        config={"displaylogo": False, "responsive": True},
    )


def table_text(rows: pd.DataFrame) -> str:
    rows = listing.ordered(rows, headline(rows), descending=COLUMNS[headline(rows)].better == "high")
    columns = listing.usual_columns(rows)
    heads = "".join(
        f"<th scope='col'><button>{escape(text)}</button></th>" for text in ["run", *map(listing.head, columns)]
    )
    marks = {name: listing.best(rows, name).to_list() for name in columns}
    texts = {name: listing.marked(rows, name) for name in columns}
    lines, names = [], listing.names(rows)
    for place, (_, row) in enumerate(rows.iterrows()):
        cells = [
            cell(row[name], texts[name][place], marks[name][place], bool(AXES[name].better) if name in AXES else True)
            for name in columns
        ]
        lines.append(f"<tr><th scope='row'>{escape(names[place])}</th>{''.join(cells)}</tr>")
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def cell(value: object, text: str, mark: str, number: bool) -> str:
    plain = "" if text == "-" else escape(str(value))
    kind = " class='number'" if number else ""
    shown = f"{mark} {escape(text)}".strip()
    return f"<td{kind} data-value='{plain}'>{f'<strong>{shown}</strong>' if mark == listing.STAR else shown}</td>"
