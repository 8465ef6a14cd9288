"""The runs that the pages show: read once, and again as soon as a record has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import pandas as pd

from tradeoffs.dashboard.axes import EXTRA, sweep_of
from tradeoffs.dashboard.proposal_scores import FILES, FOLDER, read_scores, scores_table
from tradeoffs.errors import UserError
from tradeoffs.results.record import Record, read_record
from tradeoffs.results.table import RECORD, WITHOUT_RECORDS, record_and_row, records_below, table_of

AT_WORK = {"config.yaml", "metrics.csv"}  # what a run has before its record
LOOK_EVERY = 1.0  # seconds between two walks through the folders, however many pages are open


class TimedModel(NamedTuple):
    """What a record says, or why it cannot be read."""

    written: int
    row: list | None = None
    extra: tuple = ()
    fault: str | None = None


class Store:
    """All records below `root`; a run is called by its folder's path from there."""

    def __init__(self, root: Path):
        self.root = root
        self.version = 0  # grows with every change
        self._place = root.resolve()
        self._entries: dict[str, TimedModel] = {}
        self._table = pd.DataFrame()
        self._proposals: dict[str, tuple[int, ...]] = {}  # folders, and when their files were written
        self._looked = -LOOK_EVERY
        self._lock = Lock()  # pages are asked for by several threads

    def table(self) -> pd.DataFrame:
        """A row for each run, indexed by its name. Callers must not change it."""
        self.refresh()
        return self._table

    def refresh(self) -> int:
        """Looks for changes, by the times at which files were written; returns the version."""
        with self._lock:
            if time.monotonic() - self._looked >= LOOK_EVERY:
                found, proposals = self._found()
                known = {name: entry.written for name, entry in self._entries.items()}
                if self.version == 0 or (found, proposals) != (known, self._proposals):
                    self._read(found)
                    self._proposals = proposals
                    self.version += 1
                self._looked = time.monotonic()
            return self.version

    def faults(self) -> list[str]:
        """Why records cannot be read."""
        return [entry.fault for entry in self._entries.values() if entry.fault]

    def proposals(self) -> tuple[pd.DataFrame, list[str]]:
        """What regions find, as `scores_table` has it, and why scores cannot be read."""
        self.refresh()
        scores, faults = {}, []
        for name, written in self._proposals.items():
            try:
                scores[name] = read_scores(*(self._inside(name, file) for file in FILES), *written)
            except UserError as fault:
                faults.append(str(fault))
        return scores_table(scores), faults

    def unfinished(self) -> int:
        """How many folders hold a run that has no record yet."""
        count = 0
        for _, inner, files in os.walk(self._place):
            inner[:] = set(inner) - WITHOUT_RECORDS
            count += set(files) >= AT_WORK and RECORD not in files
        return count

    def file(self, run: str, name: str) -> Path:
        """A file of a run, which may be missing.

        Raises UserError for a name that is no run's, or a file outside the root: a link leads nowhere else.
        """
        self.refresh()
        if run not in self._entries:
            raise UserError(f"there is no run {run} in {self.root}/")
        return self._inside(run, name)

    def record_and_row(self, run: str) -> tuple[Record, pd.Series]:
        """Raises UserError for a name that is no run's, and for a record that cannot be read."""
        file, table, entry = self.file(run, RECORD), self.table(), self._entries.get(run)
        if run not in table.index:
            raise UserError((entry and entry.fault) or f"there is no run {run} in {self.root}/ any more")
        return read_record(file), table.loc[run]

    def _inside(self, run: str, name: str) -> Path:
        file = Path(os.path.realpath(self._place / run / name))
        if not file.is_relative_to(self._place):
            raise UserError(f"{name} of {run} lies outside {self.root}/")
        return file

    def _found(self) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
        """Names of runs, and when their records were written; folders of scores of regions, and when theirs were."""
        start, runs, proposals = len(str(self._place)) + 1, {}, {}
        for file in records_below(self._place, (RECORD, *FILES)):
            name = str(file.parent)[start:] or "."
            if file.name == RECORD:
                runs[name] = changed_at(file)
            elif FOLDER in Path(name).parts[:-1]:
                proposals[name] = tuple(changed_at(file.with_name(each)) for each in FILES)
        return runs, proposals

    def _read(self, found: dict[str, int]) -> None:
        known = self._entries
        self._entries = {
            name: known[name] if name in known and known[name].written == at else self._entry(name, at)
            for name, at in found.items()
        }
        readable = {name: entry for name, entry in self._entries.items() if entry.row}
        table = table_of({name: entry.row for name, entry in readable.items()})
        extra = pd.DataFrame([entry.extra for entry in readable.values()], index=table.index, columns=list(EXTRA))
        self._table = pd.concat([table, extra], axis=1).assign(sweep=[sweep_of(name) for name in readable])

    def _entry(self, name: str, time_written: int) -> TimedModel:
        try:
            record, row = record_and_row(self._inside(name, RECORD))
        except UserError as fault:
            return TimedModel(time_written, fault=str(fault))
        return TimedModel(time_written, row, tuple(column.read(record) for column in EXTRA.values()))


def changed_at(file: Path) -> int:
    """0 for a file that is gone by now."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
