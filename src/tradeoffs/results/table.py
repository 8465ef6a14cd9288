"""Many records as one table."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from tradeoffs.errors import UserError
from tradeoffs.results.columns import ASIDE, BOUNDS, COLUMNS
from tradeoffs.results.record import Record, read_record

RECORD = "result.json"
WITHOUT_RECORDS = {"checkpoints", "pictures", "predictions", "tensorboard", "wandb", ".locks"}  # not searched


class Found(NamedTuple):
    """A row for each record, its folder the index; and a line for each record that cannot be read."""

    table: pd.DataFrame
    faults: list[str]


def read_table(places: Iterable[Path]) -> Found:
    """All records in the places and below. Raises UserError for a place that does not exist."""
    rows, faults = {}, []
    for file in find_records(places):
        try:
            rows[str(file.parent)] = row_of(read_record(file))
        except UserError as fault:
            faults.append(str(fault))
        except (TypeError, ValueError, AttributeError, KeyError) as fault:  # JSON, but not as a run writes it
            faults.append(f"{file} is damaged: {fault}; run the job again to write it anew")
    return Found(table_of(rows), faults)


def table_of(rows: dict[str, list]) -> pd.DataFrame:
    """Of `row_of` by folder."""
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*ASIDE, *COLUMNS])
    numbers = [*BOUNDS, *(name for name, column in COLUMNS.items() if column.better)]
    table[numbers] = table[numbers].astype(float)  # nan, not None, where there is none
    table["recipe"] = table["recipe"].fillna(pd.Series(table.index, table.index))  # of an older schema: its own
    return table


def row_of(record: Record) -> list:
    return [read(record) for read in ASIDE.values()] + [column.read(record) for column in COLUMNS.values()]


def find_records(places: Iterable[Path]) -> Iterator[Path]:
    """Files, each once, by alphabet."""
    seen = set()
    for place in places:
        if not place.exists():
            raise UserError(f"{place} does not exist; give folders of runs, or a {RECORD}")
        for file in [place] if place.is_file() else records_below(place):
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield file


def records_below(folder: Path) -> Iterator[Path]:
    """Without following links."""
    for place, inner, files in os.walk(folder):
        inner[:] = sorted(set(inner) - WITHOUT_RECORDS)
        if RECORD in files:
            yield Path(place) / RECORD
