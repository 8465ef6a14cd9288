"""Times the models of a grid: as many together as memory allows, in turns, within a budget of time."""

from __future__ import annotations

import gc
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import torch
from omegaconf import DictConfig
from torch import nn

from tradeoffs.apps.entry import BROKEN_OFF, Entry
from tradeoffs.apps.photos import Photos
from tradeoffs.apps.steps import Steps, duration, models
from tradeoffs.errors import UserError
from tradeoffs.measure.contender import Contender
from tradeoffs.measure.environment import device_state
from tradeoffs.measure.load import OtherLoad
from tradeoffs.measure.memory import free_bytes
from tradeoffs.measure.protocol import batch_cost, describe_protocol, network_cost, prepare
from tradeoffs.measure.turns import FEWEST, Timed, plan_turns, time_until_steady
from tradeoffs.training.stop_signals import StopSignals

WARM_UP = 2  # calls of a short model before its turns, besides the two that find its memory
SECONDS_BETWEEN_SAVES = 30.0
GIB = 2**30


class Referee:
    """Builds, prepares and times models; `build(config)` gives one, and whether its weights were trained.

    Models are timed together as long as their weights and the largest working memory among them take less than half
    of the memory that was free at the beginning. With CUDA graphs, which keep it, all of their working memory counts.
    """

    def __init__(
        self,
        settings: DictConfig,
        device: torch.device,
        photos: Photos,
        build: Callable[[DictConfig], tuple[nn.Module, bool]],
    ):
        self.settings, self.device, self.photos, self.build = settings, device, photos, build
        self.steps = Steps()
        self.signals = StopSignals("as soon as this turn has ended")
        self.saved_at = 0.0
        self.deadline = time.monotonic() + 60 * settings.minutes
        self.room = (free_bytes(device) or math.inf) / 2

    def time_all(self, entries: Sequence[Entry]) -> None:
        """Prepares and times what is missing, and writes the records: once a batch size is timed, and in between.

        Ctrl-C and SIGTERM end it after the turn that is being taken, with what was found up to there.
        """
        waiting = deque(entry for entry in entries if entry.missing)
        gc.collect()
        gc.freeze()  # of what is here to stay, so that the garbage collector does not search it while a clock runs
        while waiting and not self.stopped():
            group = self.gather(waiting)
            self.time_group(group, later=len(waiting))
            for entry in group:
                entry.write()
                entry.contenders.clear()
            self.give_back_memory()
        gc.unfreeze()
        self.steps.end()

    def stopped(self) -> bool:
        return self.signals.received is not None

    # Before the clock

    def gather(self, waiting: deque[Entry]) -> list[Entry]:
        """Prepares the next models, as many as may be in memory together."""
        group: list[Entry] = []
        self.steps.begin(f"preparing {models(len(waiting))}", len(waiting))
        while waiting and not self.is_full(group):
            entry = waiting[0]
            self.admit(entry)
            if entry.lacks_memory and any(other.contenders for other in group):
                entry.contenders.clear()  # the others hold what it needs; it will come first when they are gone
                break
            group.append(waiting.popleft())
            self.steps.step()
        return group

    def is_full(self, group: Sequence[Entry]) -> bool:
        ready = [entry for entry in group if entry.contenders]
        weights = sum(entry.network_cost["weight_bytes"] for entry in ready)
        work = [max(map(work_bytes, entry.contenders.values())) for entry in ready]
        return weights + (sum(work) if self.settings.cuda_graphs else max(work, default=0)) > self.room

    def admit(self, entry: Entry) -> None:
        """Makes the entry ready for its turns, or marks why it is not."""
        entry.begin()
        try:
            self.prepare(entry)
        except UserError as refusal:
            entry.skip(refusal)
        except Exception as error:  # one broken model must not cost the figures of all others
            entry.fail(error, next((size for size in entry.missing if size not in entry.contenders), None))
        if entry.status != "finished":
            gc.collect()  # and no more: recorded graphs of others read what torch's caches hold

    def prepare(self, entry: Entry) -> None:
        model, entry.trained = self.build(entry.config)
        if self.settings.cuda_graphs and hasattr(model, "num_proposals"):
            raise UserError("cuda_graphs=true: suppression of proposals waits for the GPU, which no graph can record")
        image = self.photos.batch(entry.config, 1).to(self.device)
        network = prepare(model, image, fuse=True, channels_last=True)
        entry.network_cost = network_cost(model, network, image)
        entry.protocol = {
            **describe_protocol(model, network, self.settings.precision, self.device, channels_last=True),
            "compile": self.settings.compile,
            "cuda_graphs": self.settings.cuda_graphs,
            "images": {"from": self.photos.origin, "names": [str(file.name) for file in self.photos.files]},
            "conditions": entry.protocol["conditions"],
        }
        del model
        for size in entry.missing:
            self.require_memory(size * entry.network_cost["activation_bytes"])
            images = self.photos.batch(entry.config, size).to(self.device)
            contender = Contender(network, images, self.settings.compile, self.settings.cuda_graphs)
            contender.warm_up(WARM_UP)
            entry.contenders[size] = contender

    def require_memory(self, count: int) -> None:
        """A system that is out of memory may end the whole process instead of saying so."""
        free = free_bytes(self.device)
        if free is not None and count > free:
            raise MemoryError(f"activations take {count / GIB:.1f} GiB, {free / GIB:.1f} GiB are free")

    # The clock

    def time_group(self, group: Sequence[Entry], later: int) -> None:
        """Times all batch sizes of what is ready in `group`, while `later` models are still to come."""
        sizes = sorted({size for entry in group for size in entry.contenders})
        self.signals.listen()
        try:
            for place, size in enumerate(sizes, 1):
                chosen = {entry.name: entry for entry in group if size in entry.contenders}
                if chosen and not self.stopped():
                    to_come = (len(sizes) - place) * len(chosen) + len(sizes) * later
                    left = max(self.deadline - time.monotonic(), 0)
                    with OtherLoad() as others:
                        self.time_batches(size, chosen, seconds=left * len(chosen) / (len(chosen) + to_come))
                    self.conclude(chosen, others.share)
        finally:
            self.signals.forget()

    def time_batches(self, size: int, entries: dict[str, Entry], seconds: float) -> None:
        """Times one batch size of several models in turns, within `seconds` if the fewest turns fit."""
        aim = min(self.settings.seconds, seconds / len(entries))
        took = {name: entry.contenders[size].seconds_per_turn for name, entry in entries.items()}
        turns = {name: plan_turns(took[name], aim) for name in entries}
        for entry in entries.values():
            entry.protocol["turns"] = f"{models(len(entries))} in turns, in an order that changes every round"
        found = time_until_steady(
            {name: partial(entry.turn, size) for name, entry in entries.items()},
            turns,
            attempts=self.settings.attempts,
            seed=next(iter(entries.values())).config.seed,
            deadline=time.monotonic() + seconds,
            on_attempt=partial(self.announce, size, sum(took[name] * turns[name] for name in entries)),
            on_turn=self.steps.step,
            on_round=partial(self.save_now_and_then, size, entries, turns),
            stop=self.stopped,
        )
        self.note(size, entries, turns, found)

    def note(self, size: int, entries: dict[str, Entry], turns: dict[str, int], found: dict[str, Timed]) -> None:
        """What was found up to now; fewer than the fewest turns are nothing."""
        for name, timed in found.items():
            count = timed.count
            if not timed.failed and count >= FEWEST:
                cost = batch_cost(entries[name].contenders[size], timed)
                entries[name].batch_costs[size] = cost | ({BROKEN_OFF: True} if count < turns[name] else {})

    def save_now_and_then(
        self, size: int, entries: dict[str, Entry], turns: dict[str, int], found: dict[str, Timed]
    ) -> None:
        """For an end without a farewell, as by SIGKILL. It happens between two rounds, outside the clocks."""
        if time.monotonic() - self.saved_at < SECONDS_BETWEEN_SAVES:
            return
        self.note(size, entries, turns, found)
        for entry in entries.values():
            entry.write()
        self.saved_at = time.monotonic()

    def conclude(self, entries: dict[str, Entry], other_load: float | None) -> None:
        """Writes what is known after a batch size."""
        for entry in entries.values():
            entry.where = {**entry.where, "afterwards": device_state(self.device)}
            entry.other_load = max((load for load in (entry.other_load, other_load) if load is not None), default=None)
            entry.write()
        self.saved_at = time.monotonic()

    def announce(self, size: int, seconds: float, attempt: int, contenders: int, turns: int) -> None:
        again = f" again, since they were disturbed (attempt {attempt})" if attempt > 1 else f", {duration(seconds)}"
        self.steps.begin(f"timing batches of {size}: {models(contenders)}{again}", turns)

    def give_back_memory(self) -> None:
        gc.collect()
        torch.clear_autocast_cache()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def work_bytes(contender: Contender) -> int:
    return contender.peak_bytes or 0
