"""What a run found, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table

COLUMNS = 6  # as many as fit into 80 characters


def score_table(
    scores: Mapping[str, float], per_class: Sequence[Mapping[str, Any]], cost: Mapping[str, Any] | None = None
) -> Group:
    """Tables for `rich.print`: the scores, the scores of each class, and what the model costs.

    Args:
        scores: Name to value in 0..1, say `{"mAP": 0.41, "AP50": 0.62}`.
        per_class: One mapping per class with the same keys; the first is its name, say `{"class": "cat", "AP": 0.5}`.
        cost: Name with unit to value, say `{"latency, ms": 12.3, "parameters, million": 24.1}`.
    """
    names = list(scores)
    parts = [names[i : i + COLUMNS] for i in range(0, len(names), COLUMNS)]
    tables = [
        _pairs("" if i else "Accuracy", {name: scores[name] for name in part}, _score) for i, part in enumerate(parts)
    ]
    if per_class:
        tables.append(_records("Accuracy of each class", per_class))
    if cost:
        tables.append(_pairs("Cost", cost, _quantity))
    return Group(*tables)


def _pairs(title: str, values: Mapping[str, Any], write: Any) -> Table:
    """Values side by side under their names."""
    table = Table(title=title or None, title_justify="left")
    for name in values:
        table.add_column(name, justify="right")
    table.add_row(*(write(value) for value in values.values()))
    return table


def _records(title: str, records: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    first, *others = records[0]
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    for record in records:
        table.add_row(str(record[first]), *(_score(record[name]) for name in others))
    return table


def _score(value: Any) -> str:
    """Three digits, as tables of detectors have them; a dash where there was nothing to score (NaN, in JSON null)."""
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3f}" if value >= 0 else "-"


def _quantity(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
