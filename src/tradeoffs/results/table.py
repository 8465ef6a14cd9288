"""Many records as one table."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, NamedTuple

import pandas as pd

from tradeoffs.errors import UserError
from tradeoffs.results.columns import ASIDE, BOUNDS, COLUMNS, POINTS
from tradeoffs.results.doubt import LITTLE
from tradeoffs.results.record import Record, read_record

RECORD = "result.json"
READERS = ASIDE | {name: column.read for name, column in COLUMNS.items()}
NUMBERS = ["score", "beyond_chance", *BOUNDS, *(name for name, column in COLUMNS.items() if column.better)]
NUMERIC = {*NUMBERS, "image_size", *POINTS, "epochs", "images_seen", "large_batch"}
OF_TRAINING = ("epochs", "images_seen", "hardly_trained")  # which hold for the evaluations of a run, too
WITHOUT_RECORDS = {"checkpoints", "pictures", "predictions", "tensorboard", "wandb", ".locks"}  # not searched


class RunTable(NamedTuple):
    """A row for each record, its folder the index; and a line for each record that cannot be read."""

    table: pd.DataFrame
    faults: list[str]


def read_table(places: Iterable[Path]) -> RunTable:
    """All records in the places and below. Raises UserError for a place that does not exist."""
    rows, faults = {}, []
    for file in find_records(places):
        try:
            _, rows[str(file.parent)] = record_and_row(file)
        except UserError as fault:
            faults.append(str(fault))
    return RunTable(table_of(rows), faults)


def table_of(rows: dict[str, list]) -> pd.DataFrame:
    """Of `row_of` by folder."""
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(READERS))
    table = table.astype(dict.fromkeys(NUMBERS, float)).copy()  # nan, not None, where there is none
    table["recipe"] = table["recipe"].fillna(pd.Series(table.index, table.index))  # of an older schema: its own
    trained = [name.partition("/evaluations/")[0] for name in table.index]
    own = table["hardly_trained"].notna()
    for name in OF_TRAINING:
        table[name] = table[name].where(table[name].notna(), table[name].reindex(trained).to_numpy())
    again_but_better = ~own & (table["beyond_chance"] >= LITTLE)
    table["hardly_trained"] = table["hardly_trained"].mask(again_but_better)
    return table


def record_and_row(file: Path) -> tuple[Record, list]:
    """Raises UserError for a file that is no record, or one that holds other things than a run writes."""
    record = read_record(file)
    try:
        return record, row_of(record)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError) as fault:
        raise UserError(f"{file} is damaged: {fault}; run the job again to write it anew") from None


def row_of(record: Record) -> list:
    """Raises ValueError for a value that no column can hold."""
    return [cell(name, read(record)) for name, read in READERS.items()]


def cell(name: str, value: Any) -> Any:
    odd = not isinstance(value, int | float) if name in NUMERIC else isinstance(value, list | dict)
    if value is not None and odd:
        raise ValueError(f"{name} is {shortened(value)}")
    if isinstance(value, int):
        float(value)  # raises OverflowError for more digits than any number here has
    return value


def find_records(places: Iterable[Path]) -> Iterator[Path]:
    """Files, each once, by alphabet."""
    seen = set()
    for place in places:
        if not place.exists():
            raise UserError(f"{place} does not exist; give folders of runs, or a {RECORD}")
        for file in [place] if place.is_file() else records_below(place):
            if (resolved := os.path.realpath(file)) not in seen:  # a link to itself is a file that cannot be read
                seen.add(resolved)
                yield file


def records_below(folder: Path, names: Collection[str] = (RECORD,)) -> Iterator[Path]:
    """Without following links; other files, too, if `names` says so."""
    for place, inner, files in os.walk(folder):
        inner[:] = sorted(set(inner) - WITHOUT_RECORDS)
        yield from (Path(place) / name for name in names if name in files)
