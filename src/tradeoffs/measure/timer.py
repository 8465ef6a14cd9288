"""Timing several functions against each other on a machine that is never quite quiet."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Any, TypeVar

import torch

Middle = TypeVar("Middle")

STEADY = 0.10  # interquartile range over median above which a timing counts as disturbed


@dataclass(frozen=True)
class Timing:
    """What one function took, turn by turn, in milliseconds."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def interquartile_range(self) -> float:
        return quantile(self.samples, 0.75) - quantile(self.samples, 0.25)

    @property
    def disturbed(self) -> bool:
        """Whether the middle half of the samples spreads over more than a tenth of the median."""
        return self.interquartile_range > STEADY * self.median

    def summary(self) -> dict[str, Any]:
        """The timing as it stands in a record: milliseconds, with every sample."""
        low, high = confidence_of_median(self.samples)
        return {
            "median": self.median,
            "p10": quantile(self.samples, 0.10),
            "p90": quantile(self.samples, 0.90),
            "interquartile_range": self.interquartile_range,
            "confidence_low": low,
            "confidence_high": high,
            "disturbed": self.disturbed,
            "samples": [round(sample, 4) for sample in self.samples],
        }


@dataclass(frozen=True)
class Ratio:
    """A quotient of two timings: its median over the turns, and the tenth and ninetieth percentile."""

    median: float
    low: float
    high: float


def time_in_turns(
    functions: dict[str, Callable[[], object]], repeats: int, warmup: int, device: torch.device | str
) -> dict[str, Timing]:
    """Times the functions in turns (A B C A B C ...), so that a disturbance hits all of them alike.

    `warmup` rounds go before and are not counted. On CUDA a turn lies between two events with the device idle at
    both ends; elsewhere between two readings of the monotonic clock.
    """
    clock = cuda_milliseconds if torch.device(device).type == "cuda" else wall_milliseconds
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warmup + repeats):
        for name, function in functions.items():
            took = clock(function, torch.device(device))
            if turn >= warmup:
                samples[name].append(took)
    return {name: Timing(tuple(taken)) for name, taken in samples.items()}


def ratio(numerator: Timing, denominator: Timing) -> Ratio:
    """How many times longer `numerator` took, turn by turn; both must come from the same `time_in_turns`.

    Pairing cancels what slows a whole turn down. `ratio(theirs, ours)` is our speed-up.
    """
    pairs = zip(numerator.samples, denominator.samples, strict=True)
    quotients = [above / below for above, below in pairs]
    return Ratio(median(quotients), quantile(quotients, 0.10), quantile(quotients, 0.90))


def quantile(samples: tuple[float, ...] | list[float], fraction: float) -> float:
    """The `fraction` quantile, interpolated linearly between the two nearest samples."""
    ordered = sorted(samples)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def confidence_of_median(samples: tuple[float, ...], level: float = 0.95) -> tuple[float, float]:
    """An interval that holds the true median with at least `level` probability, whatever the distribution.

    Two order statistics: the number of samples below the median is binomial(n, 1/2). Fewer than six samples cannot
    reach 95 %; the smallest and the largest are returned then.
    """
    ordered, n = sorted(samples), len(samples)
    outside, rank = 0.0, 0
    while rank < n // 2 and outside + comb(n, rank) / 2**n <= (1 - level) / 2:
        outside += comb(n, rank) / 2**n
        rank += 1
    rank = max(rank, 1)
    return ordered[rank - 1], ordered[n - rank]


def wall_milliseconds(function: Callable[[], object], device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    function()
    synchronize(device)
    return 1000 * (time.perf_counter() - start)


def cuda_milliseconds(function: Callable[[], object], device: torch.device) -> float:
    # The device is idle when `start` is recorded, so launching from Python is inside the clock, as it is in use.
    synchronize(device)
    with torch.cuda.device(device):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        function()
        end.record()
        end.synchronize()
    return start.elapsed_time(end)


def split_milliseconds(
    first: Callable[[], Middle], second: Callable[[Middle], object], device: torch.device
) -> tuple[float, float]:
    """Times `second(first())` in one go, cut where the device has completed what `first` returns.

    On CUDA the cut is an event, for which nobody waits: what `second` launches meanwhile is launched as in use.
    """
    split = cuda_split if device.type == "cuda" else wall_split
    return split(first, second, device)


def wall_split(
    first: Callable[[], Middle], second: Callable[[Middle], object], device: torch.device
) -> tuple[float, float]:
    synchronize(device)
    start = time.perf_counter()
    between = first()
    synchronize(device)
    cut = time.perf_counter()
    second(between)
    synchronize(device)
    return 1000 * (cut - start), 1000 * (time.perf_counter() - cut)


def cuda_split(
    first: Callable[[], Middle], second: Callable[[Middle], object], device: torch.device
) -> tuple[float, float]:
    synchronize(device)
    with torch.cuda.device(device):
        start, cut, end = (torch.cuda.Event(enable_timing=True) for _ in range(3))
        start.record()
        between = first()
        cut.record()
        second(between)
        end.record()
        end.synchronize()
    return start.elapsed_time(cut), cut.elapsed_time(end)


def synchronize(device: torch.device) -> None:
    """Waits until the device has done what it was given; the CPU always has."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
