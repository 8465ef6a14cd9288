"""One model of a grid, and what became of it."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from tradeoffs.measure.contender import Contender
from tradeoffs.measure.load import doubt_about
from tradeoffs.measure.memory import is_out_of_memory
from tradeoffs.measure.protocol import batch_costs
from tradeoffs.results.record import Identity, Record, write_record
from tradeoffs.runs.folder import save_config
from tradeoffs.runs.identity import identity

BROKEN_OFF = "broken_off"  # in the cost of a batch: it had fewer turns than it should have
# What a model's record has of its network.
NETWORK_COST = (
    *("parameters", "trainable_parameters", "weight_bytes"),
    *("multiply_adds", "activation_bytes", "image_size"),
)


@dataclass
class ModelTiming:
    """A model from its settings to its record.

    `skipped` is a combination that its builder refuses, and leaves no record; `failed` one that breaks, and leaves
    what was measured before. `error` says why, in one line.
    """

    overrides: tuple[str, ...]
    config: DictConfig
    folder: Path
    batch_sizes: tuple[int, ...]  # to be timed
    status: Literal["finished", "failed", "skipped"] = "finished"
    error: str | None = None
    lacks_memory: bool = False
    trained: bool = False
    contenders: dict[int, Contender] = field(default_factory=dict)  # by batch size
    network_cost: dict[str, Any] = field(default_factory=dict)
    batch_costs: dict[int, dict[str, Any]] = field(default_factory=dict)  # by batch size
    other_load: float | None = None  # share of the processor that other programs took, of the worst batch size
    earlier: bool = False  # some of it is of an earlier benchmark
    protocol: dict[str, Any] = field(default_factory=dict)
    where: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def who(self) -> Identity:
        return identity(self.config, (self.where.get("git") or {}).get("commit"))

    @property
    def missing(self) -> list[int]:
        """The batch sizes that have not had all their turns."""
        return [size for size in self.batch_sizes if self.batch_costs.get(size, {BROKEN_OFF: True}).get(BROKEN_OFF)]

    @property
    def disturbed(self) -> bool:
        return doubt_about({"other_load": self.other_load, "batches": self.batch_costs}) is not None

    @property
    def outcome(self) -> tuple[str, str | None]:
        """Status and error as they stand in the record."""
        if self.status != "finished" or not self.missing:
            return self.status, self.error
        sizes = " and ".join(map(str, self.missing))
        return "stopped", f"broken off before batches of {sizes} had all their turns; the same command goes on"

    def take_over(self, record: Record) -> None:
        """What an earlier benchmark timed to the end."""
        whole = {int(size): batch for size, batch in record.cost["batches"].items() if not batch.get(BROKEN_OFF)}
        self.batch_costs = {size: batch for size, batch in whole.items() if size in self.batch_sizes}
        self.earlier = bool(self.batch_costs)
        self.network_cost = {name: record.cost[name] for name in NETWORK_COST}
        self.trained, self.other_load = record.cost["trained"], record.cost["other_load"]
        self.protocol, self.where = record.cost["protocol"], record.where

    def begin(self) -> None:
        """As if nothing had been tried; of an earlier record nothing is left but what was taken over."""
        self.status, self.error, self.lacks_memory = "finished", None, False
        self.contenders.clear()
        if not self.earlier:
            (self.folder / "result.json").unlink(missing_ok=True)

    def turn(self, size: int) -> dict[str, float] | None:
        """Milliseconds by clock; None if the model breaks, and then it is marked as failed."""
        try:
            return self.contenders[size].turn_among_others()
        except Exception as error:  # one broken model must not cost the figures of all others
            self.fail(error, size)
            self.contenders.clear()
            return None

    def skip(self, reason: object) -> None:
        self.status, self.error = "skipped", str(reason)

    def fail(self, error: Exception, size: int | None = None) -> None:
        """`size` is that of the batch at work, if any. All but a lack of memory is shown with its traceback."""
        self.status, self.lacks_memory = "failed", is_out_of_memory(error)
        message = str(error).strip().partition("\n")[0]
        kind = "out of memory" if self.lacks_memory else type(error).__name__
        place = f" at batch {size}" if size else ""
        self.error = f"{kind}{place}: {message}".removesuffix(": ")
        if not self.lacks_memory:
            traceback.print_exception(error)

    def write(self) -> None:
        """`result.json` and `config.yaml`; nothing for a model that was skipped."""
        if self.status == "skipped":
            return
        save_config(self.config, self.folder)
        cost = {
            **self.network_cost,
            **batch_costs(self.batch_costs, self.trained),
            "other_load": self.other_load,
            "protocol": self.protocol,
        }
        config = OmegaConf.to_container(self.config, resolve=True)
        record = Record(self.who, *self.outcome, cost=cost, config=config, where=self.where)
        write_record(self.folder / "result.json", record)
