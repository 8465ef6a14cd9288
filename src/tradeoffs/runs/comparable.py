"""The finished runs beside a run, with which it can be compared while it trains."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from jaxtyping import UInt8
from omegaconf import DictConfig
from torch import Tensor, nn

from tradeoffs.measure.cost import multiply_adds
from tradeoffs.results.record import Identity, Record, record_or_none
from tradeoffs.runs.data_hashes import Hashes, recorded_hashes
from tradeoffs.runs.identity import data_name
from tradeoffs.training.stop_hopeless import Curve


class ComparableRuns:
    """Runs in the same folder, of the same task, data and epochs, that cost no more than the run with these settings.

    The cost is that of one image in multiply-adds, which need no trained weights and no quiet machine; a record has
    them if it has times.
    """

    def __init__(self, config: DictConfig, hashes: Hashes):
        self.config = config
        self.hashes = hashes
        self.cost: int | None = None  # of the run itself, once it is counted

    def curves(self, model: nn.Module, image: UInt8[Tensor, "1 3 H W"]) -> list[Curve]:
        """Their headline score after each epoch."""
        if self.cost is None:
            self.cost = multiply_adds(model, image)
        return [
            read_curve(folder / "metrics.csv", self.config.task.headline)
            for folder, record in self.finished()
            if record.cost.get("multiply_adds", float("inf")) <= self.cost
        ]

    def finished(self) -> Iterator[tuple[Path, Record]]:
        for path in sorted(Path(self.config.runs).glob("*/result.json")):
            if (record := record_or_none(path)) is None:
                continue
            alike = record.who.task == self.config.task.name and self.on_same_data(record.who)
            if alike and record.status == "finished" and record.config.get("epochs") == self.config.epochs:
                yield path.parent, record

    def on_same_data(self, who: Identity) -> bool:
        """By the hashes; where there are none on both sides, by the name."""
        if not any(self.hashes.values()) and not any(recorded_hashes(who).values()):
            return who.data == data_name(self.config)
        return recorded_hashes(who) == self.hashes


def read_curve(path: Path, headline: str) -> Curve:
    """That score in a run's metrics.csv; empty if there is none, or no validation in it."""
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get(f"val/{headline}") and row.get("epoch")]
    return {int(row["epoch"]): float(row[f"val/{headline}"]) for row in rows}
