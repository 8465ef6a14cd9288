"""How sure a number is, over seeds and over images; and whether two runs differ by more than chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from tradeoffs.errors import UserError
from tradeoffs.metrics.matches import Matches

RESAMPLES = 200
CONFIDENCE = 0.95
# Of the average precisions by threshold and class.
SCORES: dict[str, Callable[[Float64[ndarray, "10 C"]], float]] = {
    "mAP": lambda precisions: mean_known(precisions),
    "AP50": lambda precisions: mean_known(precisions[0]),
    "AP75": lambda precisions: mean_known(precisions[5]),
}


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


def mean_known(values: Float64[ndarray, "*N"]) -> float:
    """Without what is nan; nan where nothing else is, as in a sample of images without objects."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def over_images(matches: Matches, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """mAP, AP50 and AP75 with what other images of the same kind might have given: a bootstrap over the images."""
    estimate = matches.average_precision()
    drawn = [matches.average_precision(weights) for weights in resampled(len(matches.image_ids), resamples, seed)]
    return {name: interval(score(estimate), map(score, drawn)) for name, score in SCORES.items()}


def difference(first: Matches, second: Matches, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Interval]:
    """By how much the second run is better, and how sure that is: both are scored on the same images each time.

    Raises UserError unless both were scored on the same images and classes.
    """
    for what in ("image_ids", "class_ids", "objects"):
        if not np.array_equal(getattr(first, what), getattr(second, what)):
            raise UserError("the two runs were not scored on the same images; compare runs of the same data")

    def gains(weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        before, after = first.average_precision(weights), second.average_precision(weights)
        return {name: score(after) - score(before) for name, score in SCORES.items()}

    estimate = gains()
    drawn = [gains(weights) for weights in resampled(len(first.image_ids), resamples, seed)]
    return {name: interval(value, (each[name] for each in drawn)) for name, value in estimate.items()}


def resampled(count: int, resamples: int, seed: int) -> Iterator[Float64[ndarray, " M"]]:
    """How often each of `count` images is drawn, with replacement."""
    random = np.random.default_rng(seed)
    for _ in range(resamples):
        yield np.bincount(random.integers(count, size=count), minlength=count).astype(float)


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
