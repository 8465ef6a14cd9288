"""Tables of runs for the terminal: one for each data set and device, since numbers of several do not compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from tradeoffs.results.bounds import doubtful, frontier, untrained
from tradeoffs.results.columns import ACCURACY, CLOCKED, COLUMNS, HEADS, POINTS, TOGETHER, headline
from tradeoffs.results.data_marks import data_marks, data_note
from tradeoffs.results.formats import FORMATS
from tradeoffs.results.names import distinguishing_names, short_names
from tradeoffs.results.seeds import over_seeds_table
from tradeoffs.results.terminal import fill, least_width
from tradeoffs.task_facts import first_two

SHOWN = ("model", "backbone", "image_size", *POINTS)
WORDS = ("model", "backbone", "other settings")
COSTS = ("ms", "multiply_adds", "parameters", "memory")
MARKS = {"*": "* no other run is as good in both and better in one", "~": "~ no other run beats it for sure"}
LOG_WIDTH = 160  # characters, in a file
DISPENSABLE = ("memory", "parameters", *ACCURACY, "multiply_adds")  # the first goes first where a terminal is narrow


def print_tables(runs: pd.DataFrame, x: str, y: str | None = None) -> None:
    """`y` is by default what each task's runs are compared by."""
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH)
    for title, group, gain in comparable(runs, y):
        console.print(fitting_table(group, title, x, gain, console))
        for note in notes(group, x, gain):
            console.print(note, markup=False, highlight=False)
    for folder, run in runs[runs["status"] != "finished"].iterrows():
        console.print(f"{run['status']}: {folder}: {run['error']}", markup=False, highlight=False)


def formatted_tables(runs: pd.DataFrame, x: str, y: str | None, form: str) -> str:
    """The same in one of `FORMATS`, with all columns."""
    tables = [
        FORMATS[form](
            title, headed(columns_of(group, numbers_of(group, x, gain), x, gain)), WORDS, list(notes(group, x, gain))
        )
        for title, group, gain in comparable(runs, y)
    ]
    return "\n".join(tables)


def comparable(runs: pd.DataFrame, y: str | None) -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Means over seeds of runs that have `TOGETHER` in common, the best first, with their title and their `y`."""
    for values, group in over_seeds_table(runs).groupby(list(TOGETHER), dropna=False, sort=False):
        title = ", ".join(str(value) for value in values if pd.notna(value) and value != "")
        gain = y or headline(group)
        yield title, group.sort_values(gain, ascending=COLUMNS[gain].better == "low"), gain


def notes(rows: pd.DataFrame, x: str, y: str) -> Iterator[str]:
    """What has to be known about a table: of its marks, and what does not compare."""
    if len(rows) > 1 and (said := [MARKS[mark] for mark in sorted(set(frontier_marks(rows, x, y)) & MARKS.keys())]):
        yield f"best in {HEADS.get(x, x)} and {y}: {'; '.join(said)}."
    if any(doubtful(rows, name).any() for name in CLOCKED):
        yield "! disturbed: do not rank by this time. It is marked * only if even its slow turns are good enough."
    names = pd.Series(short_names(rows), rows.index)
    if untrained(rows).any():
        yield "? " + "; ".join(f"{names[row]}: {said}" for row, said in rows["hardly_trained"].dropna().items())
    for row, timed, seeds in rows[["timed", "seeds"]].itertuples():
        if 0 < timed < seeds:
            yield f"{names[row]}: the time is that of {timed} of {seeds} seeds."
    yield from filter(None, [data_note(rows)])


def fitting_table(rows: pd.DataFrame, title: str, x: str, y: str, console: Console) -> Table:
    """As many of the columns as the console is wide enough for."""
    numbers = numbers_of(rows, x, y)
    spare = [name for name in DISPENSABLE if name in numbers and name not in (x, y)]
    table = table_of(rows, numbers, title, x, y)
    while spare and least_width(table, console) > console.width:
        numbers.remove(spare.pop(0))
        table = table_of(rows, numbers, title, x, y)
        table.caption = "A wider terminal shows more; --csv FILE has all."
    return table


def numbers_of(rows: pd.DataFrame, x: str, y: str) -> list[str]:
    scores = first_two(rows["task"].iloc[0])
    return list(dict.fromkeys([y, *(name for name in (*scores, x, *COSTS) if rows[name].notna().any())]))


def table_of(rows: pd.DataFrame, numbers: list[str], title: str, x: str, y: str) -> Table:
    table = Table(title=title, title_justify="left", caption_justify="left")
    return fill(table, headed(columns_of(rows, numbers, x, y)), WORDS)


def headed(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    return {HEADS.get(name, name): cells for name, cells in columns.items()}


def columns_of(rows: pd.DataFrame, numbers: list[str], x: str, y: str) -> dict[str, list[str]]:
    """The cells of each column that tells something."""
    varying = [name for name in SHOWN if rows[name].nunique(dropna=False) > 1] or ["model"]
    columns = {name: [text(value) for value in rows[name]] for name in varying}
    if rows.duplicated(list(SHOWN)).any():  # what they are told apart by, then
        columns["other settings"] = list(distinguishing_names(rows))
    columns |= data_marks(rows)
    for name in ("epochs", "images_seen"):
        if rows[name].nunique() > 1:
            columns[name] = [text(value) for value in rows[name]]
    columns |= {name: [number(row, name) for _, row in rows.iterrows()] for name in numbers}
    return columns | {"runs": list(map(str, rows["seeds"])), "frontier": frontier_marks(rows, x, y)}


def frontier_marks(rows: pd.DataFrame, x: str, y: str) -> list[str]:
    """`*` for the frontier, `~` for what is not beaten for sure, nothing for the rest."""
    on, maybe = frontier(rows, x, y, (COLUMNS[x].better == "low", COLUMNS[y].better == "low"))
    return ["*" if sure else "~" if may_be else "" for sure, may_be in zip(on, maybe, strict=True)]


def number(row: pd.Series, name: str) -> str:
    value = row[name]
    if pd.isna(value):
        return "-"
    digits = f"{value:.3f}" if value < 1 else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    if name in CLOCKED and (row["disturbed"] == True or row["busy"] == True):  # noqa: E712 (None is not known)
        return f"{digits}!"
    if name in ACCURACY and pd.notna(row.get("hardly_trained")):
        return f"{digits}?"
    half = (row.get(f"{name}_high", np.nan) - row.get(f"{name}_low", np.nan)) / 2 if name == row["headline"] else np.nan
    return digits if pd.isna(half) else f"{digits}±{half:.3f}"


def text(value: object) -> str:
    return "-" if pd.isna(value) else str(int(value)) if isinstance(value, float) else str(value)
