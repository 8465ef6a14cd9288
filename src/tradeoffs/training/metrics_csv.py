"""`metrics.csv`: one row for every step, validation or epoch that logs something."""

from __future__ import annotations

import csv
from argparse import Namespace
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only


class MetricsCSV(Logger):
    """Writes `metrics.csv` right into the run folder and goes on with it when the run is resumed.

    Rows that a killed run wrote after its last checkpoint are dropped when it does those steps again, so the file of
    a resumed run equals that of an uninterrupted one. (Lightning's CSVLogger deletes the former file.)

    Args:
        folder: The run folder.
        resume: Whether to go on with the file that is there; otherwise it is begun anew.
    """

    def __init__(self, folder: Path, resume: bool = False):
        super().__init__()
        self.path = Path(folder) / "metrics.csv"
        self._columns: list[str] | None = None  # None before the first row
        self._resume = resume

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    def save_dir(self) -> str:
        return str(self.path.parent)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Nothing: the run folder has the resolved config."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = {"step": step, **metrics}
        if self._columns is None:
            self._start(step)
        new = [name for name in row if name not in self._columns]
        if new:
            self._rewrite(self._columns + new, self._rows())
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _start(self, first_step: int | None) -> None:
        """Keep the rows of the steps before the one that the run goes on with."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = self._rows() if self._resume else []
        columns = list(rows[0]) if rows else ["step"]
        self._rewrite(columns, [row for row in rows if int(row["step"]) < (first_step or 0)])

    def _rows(self) -> list[dict[str, str]]:
        """The rows in the file; one that a crash cut off has fewer values and is left out."""
        if not self.path.exists():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values() and row["step"]]

    def _rewrite(self, columns: list[str], rows: list[dict[str, str]]) -> None:
        partial = self.path.with_name(self.path.name + ".partial")
        with partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        partial.replace(self.path)
        self._columns = columns
