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

from tradeoffs.commands.model_timing import BROKEN_OFF, ModelTiming
from tradeoffs.commands.timed_images import TimedImages
from tradeoffs.errors import UserError
from tradeoffs.measure.contender import Contender
from tradeoffs.measure.environment import device_state
from tradeoffs.measure.load import OtherLoad
from tradeoffs.measure.memory import free_bytes
from tradeoffs.measure.protocol import batch_cost, describe_protocol, network_cost, prepare
from tradeoffs.measure.turns import FEWEST, Timed, plan_turns, time_until_steady
from tradeoffs.progress_bar import Steps, duration, models
from tradeoffs.runs.proposals import proposing_of
from tradeoffs.training.stop_signals import StopSignals

WARM_UP = 2  # calls of a short model before its turns, besides the two that find its memory
SECONDS_BETWEEN_SAVES = 30.0
GIB = 2**30


class TimingInTurns:
    """Builds, prepares and times models; `build(config)` gives one, and whether its weights were trained.

    Models are timed together as long as their weights and the largest working memory among them take less than half
    of the memory that was free at the beginning. With CUDA graphs, which keep it, all of their working memory counts.
    """

    def __init__(
        self,
        settings: DictConfig,
        device: torch.device,
        photos: TimedImages,
        build: Callable[[DictConfig], tuple[nn.Module, bool]],
    ):
        self.settings, self.device, self.photos, self.build = settings, device, photos, build
        self.steps = Steps()
        self.signals = StopSignals("as soon as this turn has ended")
        self.saved_at = 0.0
        self.deadline = time.monotonic() + 60 * settings.minutes
        self.room = (free_bytes(device) or math.inf) / 2

    def time_all(self, timings: Sequence[ModelTiming]) -> None:
        """Prepares and times what is missing, and writes the records: once a batch size is timed, and in between.

        Ctrl-C and SIGTERM end it after the turn that is being taken, with what was found up to there.
        """
        waiting = deque(timing for timing in timings if timing.missing)
        gc.collect()
        gc.freeze()  # of what is here to stay, so that the garbage collector does not search it while a clock runs
        while waiting and not self.stopped():
            group = self.gather(waiting)
            self.time_group(group, later=len(waiting))
            for timing in group:
                timing.write()
                timing.contenders.clear()
            self.give_back_memory()
        gc.unfreeze()
        self.steps.end()

    def stopped(self) -> bool:
        return self.signals.received is not None

    # Before the clock

    def gather(self, waiting: deque[ModelTiming]) -> list[ModelTiming]:
        """Prepares the next models, as many as may be in memory together."""
        group: list[ModelTiming] = []
        self.steps.begin(f"preparing {models(len(waiting))}", len(waiting))
        while waiting and not self.is_full(group):
            timing = waiting[0]
            self.admit(timing)
            if timing.lacks_memory and any(other.contenders for other in group):
                timing.contenders.clear()  # the others hold what it needs; it will come first when they are gone
                break
            group.append(waiting.popleft())
            self.steps.step()
        return group

    def is_full(self, group: Sequence[ModelTiming]) -> bool:
        ready = [timing for timing in group if timing.contenders]
        weights = sum(timing.network_cost["weight_bytes"] for timing in ready)
        work = [max(map(work_bytes, timing.contenders.values())) for timing in ready]
        return weights + (sum(work) if self.settings.cuda_graphs else max(work, default=0)) > self.room

    def admit(self, timing: ModelTiming) -> None:
        """Makes the model ready for its turns, or marks why it is not."""
        timing.begin()
        try:
            self.prepare(timing)
        except UserError as refusal:
            timing.skip(refusal)
        except Exception as error:  # one broken model must not cost the figures of all others
            timing.fail(error, next((size for size in timing.missing if size not in timing.contenders), None))
        if timing.status != "finished":
            gc.collect()  # and no more: recorded graphs of others read what torch's caches hold

    def prepare(self, timing: ModelTiming) -> None:
        model, timing.trained = self.build(timing.config)
        if self.settings.cuda_graphs and (waits := getattr(model, "waits_for_gpu", None)):
            raise UserError(f"cuda_graphs=true: {waits} waits for the GPU, which no graph can record")
        proposing = proposing_of(timing.config, self.device)
        if self.settings.cuda_graphs and proposing:
            raise UserError(
                "cuda_graphs=true: regions that come from outside differ in number, which no graph can have"
            )
        image = self.photos.batch(timing.config, 1).to(self.device)
        regions = (proposing([*self.photos.photos(1)])(),) if proposing else ()
        network = prepare(model, image, *regions, fuse=True, channels_last=True)
        timing.network_cost = network_cost(model, network, image, *regions)
        timing.protocol = {
            **describe_protocol(model, network, self.settings.precision, self.device, channels_last=True),
            "compile": self.settings.compile,
            "cuda_graphs": self.settings.cuda_graphs,
            "images": {"from": self.photos.origin, "names": [str(file.name) for file in self.photos.files]},
            "conditions": timing.protocol["conditions"],
            **({"proposals": proposing.describe()} if proposing else {}),
        }
        del model
        for size in timing.missing:
            self.require_memory(size * timing.network_cost["activation_bytes"])
            images = self.photos.batch(timing.config, size).to(self.device)
            propose = proposing([*self.photos.photos(size)]) if proposing else None
            contender = Contender(network, images, self.settings.compile, self.settings.cuda_graphs, propose)
            contender.warm_up(WARM_UP)
            timing.contenders[size] = contender

    def require_memory(self, count: int) -> None:
        """A system that is out of memory may end the whole process instead of saying so."""
        free = free_bytes(self.device)
        if free is not None and count > free:
            raise MemoryError(f"activations take {count / GIB:.1f} GiB, {free / GIB:.1f} GiB are free")

    # The clock

    def time_group(self, group: Sequence[ModelTiming], later: int) -> None:
        """Times all batch sizes of what is ready in `group`, while `later` models are still to come."""
        sizes = sorted({size for timing in group for size in timing.contenders})
        self.signals.listen()
        try:
            for place, size in enumerate(sizes, 1):
                chosen = {timing.name: timing for timing in group if size in timing.contenders}
                if chosen and not self.stopped():
                    to_come = (len(sizes) - place) * len(chosen) + len(sizes) * later
                    left = max(self.deadline - time.monotonic(), 0)
                    with OtherLoad() as others:
                        self.time_batches(size, chosen, seconds=left * len(chosen) / (len(chosen) + to_come))
                    self.conclude(chosen, others.share)
        finally:
            self.signals.forget()

    def time_batches(self, size: int, timings: dict[str, ModelTiming], seconds: float) -> None:
        """Times one batch size of several models in turns, within `seconds` if the fewest turns fit."""
        aim = min(self.settings.seconds, seconds / len(timings))
        took = {name: timing.contenders[size].seconds_per_turn for name, timing in timings.items()}
        turns = {name: plan_turns(took[name], aim) for name in timings}
        for timing in timings.values():
            timing.protocol["turns"] = f"{models(len(timings))} in turns, in an order that changes every round"
        found = time_until_steady(
            {name: partial(timing.turn, size) for name, timing in timings.items()},
            turns,
            attempts=self.settings.attempts,
            seed=next(iter(timings.values())).config.seed,
            deadline=time.monotonic() + seconds,
            on_attempt=partial(self.announce, size, sum(took[name] * turns[name] for name in timings)),
            on_turn=self.steps.step,
            on_round=partial(self.save_now_and_then, size, timings, turns),
            stop=self.stopped,
        )
        self.note(size, timings, turns, found)

    def note(self, size: int, timings: dict[str, ModelTiming], turns: dict[str, int], found: dict[str, Timed]) -> None:
        """What was found up to now; fewer than the fewest turns are nothing."""
        for name, timed in found.items():
            count = timed.count
            if not timed.failed and count >= FEWEST:
                cost = batch_cost(timings[name].contenders[size], timed)
                timings[name].batch_costs[size] = cost | ({BROKEN_OFF: True} if count < turns[name] else {})

    def save_now_and_then(
        self, size: int, timings: dict[str, ModelTiming], turns: dict[str, int], found: dict[str, Timed]
    ) -> None:
        """For an end without a farewell, as by SIGKILL. It happens between two rounds, outside the clocks."""
        if time.monotonic() - self.saved_at < SECONDS_BETWEEN_SAVES:
            return
        self.note(size, timings, turns, found)
        for timing in timings.values():
            timing.write()
        self.saved_at = time.monotonic()

    def conclude(self, timings: dict[str, ModelTiming], other_load: float | None) -> None:
        """Writes what is known after a batch size."""
        for timing in timings.values():
            timing.where = {**timing.where, "afterwards": device_state(self.device)}
            timing.other_load = max(
                (load for load in (timing.other_load, other_load) if load is not None), default=None
            )
            timing.write()
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
