"""How sure a number is, over seeds and over images; and whether two runs differ by more than chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from tradeoffs.errors import UserError
from tradeoffs.metrics.evidence import Evidence

RESAMPLES = 200
CONFIDENCE = 0.95


class Interval(NamedTuple):
    """An estimate with the bounds of its 95 % confidence interval; nan for a bound that is not known."""

    value: float
    low: float
    high: float

    @property
    def sign(self) -> int:
        """1 or -1 if the whole interval lies on one side of 0, else 0."""
        return int(self.low > 0) - int(self.high < 0)


def half_width(deviation: Float64[ndarray, " N"], count: Int64[ndarray, " N"]) -> Float64[ndarray, " N"]:
    """Of the confidence interval of means of `count` values by Student's t; nan for a single value.

    `deviation` is the standard deviation of the values, with `count` - 1 as its divisor.
    """
    several = np.where(count > 1, count, 2)
    return np.where(count > 1, students_t(several - 1.0) * deviation / np.sqrt(several), np.nan)


def students_t(degrees: Float64[ndarray, "*N"] | float) -> Float64[ndarray, "*N"] | float:
    """The quantile to which a two-sided interval of the confidence reaches."""
    from scipy.special import stdtrit  # the same as t.ppf of scipy.stats, which takes a second to import

    return stdtrit(degrees, (1 + CONFIDENCE) / 2)


def over_images(evidence: Evidence, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """Each score with what other images of the same kind might have given: a bootstrap over the images."""
    samples = resampled(len(evidence.image_ids), resamples, seed)
    return intervals(evidence.score(), [evidence.score(weights) for weights in samples])


def difference(first: Evidence, second: Evidence, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """By how much the second run's scores are higher, and how sure that is: both on the same images each time.

    Raises UserError unless both were scored on the same images and classes.
    """
    if type(first) is not type(second) or not first.has_truth_of(second):
        raise UserError("the two runs were not scored on the same images; compare runs of the same data")

    def gains(weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        before, after = first.score(weights), second.score(weights)
        return {name: after[name] - before[name] for name in before}

    return intervals(gains(), [gains(weights) for weights in resampled(len(first.image_ids), resamples, seed)])


def resampled(count: int, resamples: int, seed: int) -> Iterator[Float64[ndarray, " M"]]:
    """How often each of `count` images is drawn, with replacement."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(count, size=count), minlength=count).astype(float)


def intervals(estimates: dict[str, float], drawn: list[dict[str, float]]) -> dict[str, Interval]:
    return {name: interval(value, (each[name] for each in drawn)) for name, value in estimates.items()}


def interval(estimate: float, drawn: Iterator[float]) -> Interval:
    """The percentiles of what was drawn, as far as it has a score."""
    tail = (1 - CONFIDENCE) / 2
    values = np.fromiter(drawn, float)
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [tail, 1 - tail]) if len(values) else (np.nan, np.nan)
    return Interval(estimate, float(low), float(high))


def difference_over_seeds(first: Float64[ndarray, " N"], second: Float64[ndarray, " M"]) -> Interval:
    """By how much the second mean is higher, with Welch's bounds, which let the two spread differently.

    Both need two values or more.
    """
    squares = [float(values.var(ddof=1)) / len(values) for values in (first, second)]
    spread = sum(squares)
    shares = sum(square**2 / (len(values) - 1) for square, values in zip(squares, (first, second), strict=True))
    margin = float(students_t(spread**2 / shares)) * spread**0.5 if spread else 0.0
    mean = float(second.mean() - first.mean())
    return Interval(mean, mean - margin, mean + margin)
