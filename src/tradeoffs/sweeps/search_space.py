"""What a search may choose from: axes written as for a grid, and the job that a choice makes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from tradeoffs.errors import MismatchError, UserError
from tradeoffs.results.neutral import PLACES, matters
from tradeoffs.settings.compose import CONF, hydra_for, parse
from tradeoffs.settings.overrides import key_of
from tradeoffs.settings.run_name import FIRST_IN_NAMES, run_name
from tradeoffs.sweeps.grid_jobs import is_single, with_axes
from tradeoffs.sweeps.plan import Job, read_job

MOST_COMBINATIONS = 10_000  # that are ever listed

Values = Mapping[str, Any]  # by axis


class Space(NamedTuple):
    """Axes by their settings; `fixed` is what all jobs have in common."""

    axes: dict[str, BaseDistribution]
    fixed: tuple[str, ...]
    config_name: str
    conf: Path

    def name(self, values: Values) -> str:
        """Of the run, as a grid names it."""
        return run_name(self._words(values), FIRST_IN_NAMES)

    def job(self, values: Values) -> Job:
        """Raises UserError for values that cannot work, or not together."""
        overrides = (*self._words(values), *self.fixed, f"name='{self.name(values)}'")
        return read_job(self.config_name, overrides, self.conf)

    def _words(self, values: Values) -> list[str]:
        return [f"{axis}={values[axis]}" for axis in self.axes]

    def described(self) -> dict[str, str]:
        """Setting -> value, or what it is chosen from: what a study must have in common with an earlier one."""
        common = {key_of(text): text.partition("=")[2] for text in self.fixed if matters(key_of(text))}
        common = {key: value for key, value in common.items() if key not in PLACES}
        return common | {axis: described(distribution) for axis, distribution in self.axes.items()}

    def combinations(self) -> list[Values] | None:
        """All there are; None if they are too many to be listed."""
        axes = [values_of(distribution) for distribution in self.axes.values()]
        if None in axes or math.prod(map(len, axes)) > MOST_COMBINATIONS:
            return None
        return [dict(zip(self.axes, values, strict=True)) for values in itertools.product(*axes)]

    def require_possible(self) -> None:
        """Tries every choice and both ends of every interval, with the first choices on the other axes.

        Raises UserError for a mistake, and if none of these combinations makes sense.
        """
        ends = {axis: extremes(distribution) for axis, distribution in self.axes.items()}
        first = {axis: values[0] for axis, values in ends.items()}
        faults = [self._mismatch({**first, axis: value}) for axis, values in ends.items() for value in values]
        if all(faults):
            raise faults[0]

    def _mismatch(self, values: Values) -> MismatchError | None:
        try:
            self.job(values)
        except MismatchError as fault:
            return fault
        return None


def read_space(config_name: str, overrides: Sequence[str], params: Values | None = None, conf: Path = CONF) -> Space:
    """Raises UserError for what cannot be searched. `params` are axes that an experiment brings along."""
    words = list(itertools.chain(*with_axes(params, overrides)))
    with hydra_for(config_name, conf):  # glob(*) looks into the groups
        last = {override.get_key_element(): (text, override) for text, override in parse(words)}
        single = {key: spelled_out(override) for key, (_, override) in last.items() if is_single(override)}
        several = {key: pair for key, pair in last.items() if pair[1].is_sweep_override() and key not in single}
        axes = {key: distribution_of(text, override) for key, (text, override) in several.items()}
    if not axes:
        raise UserError("there is nothing to search; give settings with several values, as in optimizer.lr=0.001,0.01")
    fixed = tuple(single.get(key, text) for key, (text, _) in last.items() if key not in axes)
    return Space(axes, fixed, config_name, conf)


def spelled_out(axis: Override) -> str:
    """An axis with one value as the setting that it is."""
    (value,) = axis.sweep_string_iterator()
    return f"{axis.get_key_element()}={value}"


def distribution_of(text: str, override: Override) -> BaseDistribution:
    try:
        return _distribution_of(override)
    except ValueError as error:  # of an interval that ends before it begins, say
        raise UserError(f"{text} cannot be searched: {error}") from None


def _distribution_of(override: Override) -> BaseDistribution:
    sweep = override.value()
    if override.is_interval_sweep():
        kind = IntDistribution if isinstance(sweep.start, int) else FloatDistribution
        return kind(sweep.start, sweep.end, log="log" in sweep.tags)
    values = list(override.sweep_iterator())
    if override.is_range_sweep() and all(isinstance(value, int) for value in values) and values:
        return IntDistribution(min(values), max(values), step=abs(sweep.step))
    return CategoricalDistribution(sorted(set(override.sweep_string_iterator())))


def described(distribution: BaseDistribution) -> str:
    if isinstance(distribution, CategoricalDistribution):
        return ",".join(distribution.choices)
    kind = "whole numbers " if isinstance(distribution, IntDistribution) else ""
    step = f" by {distribution.step}" if distribution.step not in (None, 1) else ""
    return f"{kind}{distribution.low} to {distribution.high}{step}{' (log)' if distribution.log else ''}"


def values_of(distribution: BaseDistribution) -> Sequence[Any] | None:
    match distribution:
        case CategoricalDistribution():
            return distribution.choices
        case IntDistribution():
            return range(distribution.low, distribution.high + 1, distribution.step)
        case _:
            return None


def extremes(distribution: BaseDistribution) -> Sequence[Any]:
    """All choices, or both ends."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return distribution.low, distribution.high
