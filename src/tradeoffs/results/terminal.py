"""Tables in a terminal, which may be narrow: words are folded, numbers are never cut."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

WIDEST = 1000  # characters, more than any table has


def fill(table: Table, columns: Mapping[str, Sequence[str]], words: Collection[str]) -> Table:
    """The cells of each column by its head; those in `words` give way where there is little room."""
    for head, cells in columns.items():
        width = None if head in words else max(map(len, [*cells, *head.split()]))
        table.add_column(head, justify="left" if head in words else "right", overflow="fold", width=width)
    for row in zip(*columns.values(), strict=True):
        table.add_row(*map(escape, row))
    return table


def least_width(table: Table, console: Console) -> int:
    """Of a window in which no number and no word has to be cut."""
    return Measurement.get(console, console.options.update(max_width=WIDEST), table).minimum
