"""Models timed against each other in turns, and again where the machine was disturbed meanwhile."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from tradeoffs.measure.timer import Timing

FEWEST, MOST = 3, 50  # turns of a model
NOTICEABLE = 0.01  # a clock whose spread is a smaller part of the longest one's median changes no result

# Works once and says how long it took: milliseconds by clock. None if it failed and wants no further turn.
Turn = Callable[[], dict[str, float] | None]


@dataclass(frozen=True)
class Timed:
    """The turns of one contender: a timing for each clock."""

    timings: dict[str, Timing]
    seconds: float = 0.0  # that all turns took, with what is outside the clocks
    attempts: int = 1
    failed: bool = False  # some turn did; the timings hold those before it

    @property
    def count(self) -> int:
        """Of turns."""
        return max((len(timing.samples) for timing in self.timings.values()), default=0)

    @property
    def disturbed(self) -> bool:
        return any(timing.disturbed and self._spread(timing) > NOTICEABLE for timing in self.timings.values())

    @property
    def spread(self) -> float:
        """The largest interquartile range, relative to the longest clock."""
        return max(map(self._spread, self.timings.values()))

    def _spread(self, timing: Timing) -> float:
        return timing.interquartile_range / max(other.median for other in self.timings.values())


def plan_turns(seconds_per_turn: float, seconds: float) -> int:
    """As many as fit into `seconds`, within reason."""
    return min(max(int(seconds / seconds_per_turn), FEWEST), MOST)


def rounds(turns: Mapping[str, int], seed: int = 0) -> Iterator[list[str]]:
    """Who works in each round, in which order, so that each gets its turns.

    Who has fewer turns than others skips rounds, evenly: all see the same stretch of time. The order changes from
    round to round: nobody always follows the same neighbour.
    """
    count, random = max(turns.values()), Random(seed)
    for number in range(count):
        order = [name for name, own in turns.items() if (number + 1) * own // count > number * own // count]
        random.shuffle(order)
        yield order


def take_turns(
    contenders: Mapping[str, Turn],
    turns: Mapping[str, int],
    seed: int = 0,
    on_turn: Callable[[], object] = lambda: None,
    on_round: Callable[[dict[str, Timed]], object] = lambda found: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Timed]:
    """Times all contenders in turns; calls `on_turn` after each, and `on_round` with all turns so far.

    As soon as `stop` says so no further turn is taken.
    """
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    seconds, failed = dict.fromkeys(contenders, 0.0), set()

    def found() -> dict[str, Timed]:
        return {name: Timed(timings(samples[name]), seconds[name], failed=name in failed) for name in contenders}

    for order in rounds(turns, seed):
        for name in order:
            if stop():
                return found()
            on_turn()
            if name in failed:
                continue
            began = time.perf_counter()
            clocks = contenders[name]()
            seconds[name] += time.perf_counter() - began
            if clocks is None:
                failed.add(name)
            else:
                samples[name].append(clocks)
        on_round(found())
    return found()


def timings(samples: list[dict[str, float]]) -> dict[str, Timing]:
    clocks = samples[0] if samples else {}
    return {clock: Timing(tuple(sample[clock] for sample in samples)) for clock in clocks}


def time_until_steady(
    contenders: Mapping[str, Turn],
    turns: Mapping[str, int],
    *,
    attempts: int = 3,
    seed: int = 0,
    deadline: float = math.inf,
    on_attempt: Callable[[int, int, int], object] = lambda attempt, contenders, turns: None,
    on_turn: Callable[[], object] = lambda: None,
    on_round: Callable[[dict[str, Timed]], object] = lambda found: None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Timed]:
    """`take_turns`, and again with those alone that were disturbed, until `attempts` were made or time is up.

    Of each contender the steadiest attempt is returned, and how many were made. `deadline` is on the monotonic clock;
    a further attempt takes only those in that can be expected to finish before it. `on_attempt` is called at the
    beginning of each attempt with its number and how many contenders and turns it has, `on_round` in the first one
    after each round and then after each attempt, with what is the best so far. A further attempt in which `stop` says
    to stop is as if it had never begun.
    """
    best: dict[str, Timed] = {}
    for attempt in range(1, attempts + 1):
        pending = list(contenders) if attempt == 1 else disturbed_in_time(best, deadline - time.monotonic())
        if not pending or (attempt > 1 and stop()):
            break
        chosen = {name: turns[name] for name in pending}
        on_attempt(attempt, len(chosen), sum(chosen.values()))
        chosen_ones = {name: contenders[name] for name in pending}
        first = {"on_round": on_round} if attempt == 1 else {}
        tried = take_turns(chosen_ones, chosen, seed + attempt, on_turn, stop=stop, **first)
        if attempt > 1 and stop():
            break
        for name, timed in tried.items():
            best[name] = replace(steadier(best.get(name), timed), attempts=attempt, failed=timed.failed)
        on_round(best)
    return best


def steadier(before: Timed | None, now: Timed) -> Timed:
    if before is None or now.failed:
        return before or now
    return min(before, now, key=lambda timed: (timed.disturbed, timed.spread))


def disturbed_in_time(found: Mapping[str, Timed], seconds: float) -> list[str]:
    """The disturbed ones, in order; where not all can be done again in `seconds`, the quickest."""
    disturbed = [name for name, timed in found.items() if timed.disturbed and not timed.failed]
    chosen = set()
    for name in sorted(disturbed, key=lambda name: found[name].seconds):
        seconds -= found[name].seconds
        if seconds < 0:
            break
        chosen.add(name)
    return [name for name in disturbed if name in chosen]
