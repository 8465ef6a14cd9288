"""Tables of runs for the terminal: one for each data set and device, since figures of several do not compare."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from tradeoffs.results.columns import COLUMNS, COUNTED, HEADS, TIMES, TOGETHER
from tradeoffs.results.data_marks import data_marks, data_note, on_same_images
from tradeoffs.results.frontier import on_frontier, surely_beaten
from tradeoffs.results.seeds import SEED, over_seeds_table
from tradeoffs.results.terminal import fill, least_width

SHOWN = ("model", "backbone", "image_size", "num_proposals")
IN_COLUMNS = (
    # In the name of a run; several numbers of proposals are scored in one pass, and have a folder each.
    r",?(?<![\w.])(trained=)?(task|model|backbone|image_size|model\.num_proposals|num_proposals)=[^,]*((?<=\d),\d+)*"
)
WORDS = ("model", "backbone", "other settings")
COSTS = ("ms", "multiply_adds", "parameters", "memory")
LOG_WIDTH = 160  # characters, in a file
DISPENSABLE = ("memory", "parameters", "AP50", "multiply_adds")  # the first goes first where a terminal is narrow


def print_tables(runs: pd.DataFrame, x: str, y: str) -> None:
    console = Console(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else LOG_WIDTH)
    rows = over_seeds_table(runs)
    for values, group in rows.groupby(list(TOGETHER), dropna=False, sort=False):
        title = ", ".join(str(value) for value in values if pd.notna(value) and value != "")
        console.print(fitting_table(group.sort_values(y, ascending=COLUMNS[y].better == "low"), title, x, y, console))
        if note := data_note(group):
            console.print(note)
    for folder, run in runs[runs["status"] != "finished"].iterrows():
        console.print(f"{run['status']}: {folder}: {run['error']}", markup=False, highlight=False)


def fitting_table(rows: pd.DataFrame, title: str, x: str, y: str, console: Console) -> Table:
    """As many of the columns as the console is wide enough for."""
    known = [name for name in ("AP50", x, *COSTS) if rows[name].notna().any()]
    numbers = list(dict.fromkeys([y, *known]))
    spare = [name for name in DISPENSABLE if name in numbers and name not in (x, y)]
    table = table_of(rows, numbers, title, x, y)
    while spare and least_width(table, console) > console.width:
        numbers.remove(spare.pop(0))
        table = table_of(rows, numbers, title, x, y)
        table.caption = "A wider terminal shows more; --csv FILE has all."
    return table


def table_of(rows: pd.DataFrame, numbers: list[str], title: str, x: str, y: str) -> Table:
    varying = [name for name in SHOWN if rows[name].nunique(dropna=False) > 1] or ["model"]
    columns = {name: [text(value) for value in rows[name]] for name in varying}
    if rows.duplicated(list(SHOWN)).any():  # what they are told apart by, then
        columns["other settings"] = list(told_apart(rows))
    columns |= data_marks(rows)
    columns |= {name: [number(row, name) for _, row in rows.iterrows()] for name in numbers}
    columns |= {"runs": list(map(str, rows["seeds"])), "frontier": on_same_images(frontier_marks, rows, x, y)}
    table = Table(title=title, title_justify="left", caption_justify="left")
    return fill(table, {HEADS.get(name, name): cells for name, cells in columns.items()}, WORDS)


def told_apart(rows: pd.DataFrame) -> Iterator[str]:
    """Of the folders of rows, what they do not share and no column says."""
    folders = list(map(os.path.abspath, rows.index))
    shared = os.path.commonpath(folders)
    for folder, seeds in zip(folders, rows.get("seeds", [1] * len(rows)), strict=True):
        said = f"{IN_COLUMNS}|{SEED}" if seeds > 1 else IN_COLUMNS
        parts = (re.sub(said, "", part).strip(",") for part in Path(folder).relative_to(shared).parts)
        yield "/".join(part for part in parts if part not in ("", "evaluations"))


def frontier_marks(rows: pd.DataFrame, x: str, y: str) -> list[str]:
    """`*` for the frontier, `~` for what is not beaten for sure, nothing for the rest."""
    costs, gains = oriented(rows, x, "low"), oriented(rows, y, "high")
    on = on_frontier(costs[:, 1], gains[:, 1])
    beaten = surely_beaten(costs[:, [0, 2]], gains[:, [0, 2]]) | ~np.isfinite(costs[:, 1] + gains[:, 1])
    return ["*" if own else "" if lost else "~" for own, lost in zip(on, beaten, strict=True)]


def oriented(rows: pd.DataFrame, name: str, better: str) -> np.ndarray:
    """Low, estimate, high of a column for every row; turned around where the other direction is better.

    What is counted is its own bounds, as is memory, which hardly changes; other bounds that are not known are nan. So
    are those of times that were taken beside other work: they hold for that time only.
    """
    value = rows[name].to_numpy(float)
    unknown = value if name in (*COUNTED, "memory") else np.full_like(value, np.nan)
    low, high = (
        rows[f"{name}_{end}"].to_numpy(float) if f"{name}_{end}" in rows else unknown for end in ("low", "high")
    )
    if name in TIMES:
        low, high = (np.where(rows["busy"] == True, np.nan, bound) for bound in (low, high))  # noqa: E712
    columns = np.stack([low, value, high], axis=1)
    return columns if COLUMNS[name].better == better else -columns[:, ::-1]


def number(row: pd.Series, name: str) -> str:
    value = row[name]
    if pd.isna(value):
        return "-"
    digits = f"{value:.3f}" if value < 1 else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    if name in TIMES and row["disturbed"]:
        return f"{digits}!"
    half = (row.get(f"{name}_high", np.nan) - row.get(f"{name}_low", np.nan)) / 2 if name == "mAP" else np.nan
    return digits if pd.isna(half) else f"{digits}±{half:.3f}"


def text(value: object) -> str:
    return "-" if pd.isna(value) else str(int(value)) if isinstance(value, float) else str(value)
