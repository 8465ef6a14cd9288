"""How all benchmarks print what they found: one row per comparison."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from tradeoffs.measure.timer import Timing, ratio


def compare(name: str, ours: Timing, theirs: Timing, goal: float | None = None) -> dict[str, Any]:
    """The row of two functions that were timed in turns."""
    faster = ratio(theirs, ours)
    numbers = {"ours": ours.median, "theirs": theirs.median, "unit": "ms"}
    return {"name": name, **numbers, "ratio": faster.median, "low": faster.low, "high": faster.high, "goal": goal}


def print_table(rows: Iterable[dict[str, Any]], title: str | None = None, console: Console | None = None) -> None:
    """Prints rows of `name`, `ours`, `theirs`, `unit`, `ratio`, `low`, `high` and `goal`.

    `ratio` says how many times better ours is, whichever direction the unit counts; `low` and `high` are its tenth and
    ninetieth percentile over the turns, `goal` is the least that was hoped for. The last three may be None or absent.
    """
    table = Table(title=title)
    table.add_column("measured")
    for column in ("ours", "theirs", "unit", "times better", "10 to 90 %", "goal"):
        table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row))
    (console or Console(width=None if sys.stdout.isatty() else 120)).print(table)


def cells(row: dict[str, Any]) -> list[str]:
    low, high = row.get("low"), row.get("high")
    spread = f"{low:.2f} to {high:.2f}" if low is not None and high is not None else "-"
    numbers = [f"{row[side]:.4g}" for side in ("ours", "theirs")]
    return [row["name"], *numbers, row["unit"], f"{row['ratio']:.2f}", spread, verdict(row["ratio"], row.get("goal"))]


def verdict(reached: float, goal: float | None) -> str:
    if goal is None:
        return "-"
    return f"[green]{goal:g} met[/]" if reached >= goal else f"[red]{goal:g} missed[/]"
