"""The jobs of a grid: every combination of the values on its axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.types import ChoiceSweep, Override

from tradeoffs.errors import UserError
from tradeoffs.settings.compose import CONF, compose_with_hydra, hydra_for, parse
from tradeoffs.settings.run_name import FIRST_IN_NAMES, run_name
from tradeoffs.settings.usual import with_usual

GRIDS = (BasicSweeper.__name__, "GridSweeper")  # sweepers that know all jobs from the beginning


def jobs(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[list[str]]:
    """The overrides of every job of a grid; none if a sweeper decides that looks at the results of others.

    Each is named by its values on the axes: what all have in common names the folder of the sweep.
    """
    swept = {text: override for text, override in parse(overrides) if override.is_sweep_override()}
    fixed = [text for text in overrides if text not in swept]
    sweeper = compose_with_hydra(config_name, fixed, conf).hydra.sweeper
    if not sweeper._target_.endswith(GRIDS):
        return []
    hydras = [text for text in overrides if text.startswith("hydra")]
    axes, words = with_axes(sweeper.params, [text for text in overrides if text not in hydras])
    with hydra_for(config_name, conf):  # glob(*) looks into the groups
        parsed = parse(axes + words)
        for text, override in parsed:
            if override.is_interval_sweep():
                raise UserError(f"{text} is no list of values, as a grid needs it; to search add hydra/sweeper=optuna")
        (batch,) = BasicSweeper.split_arguments([override for _, override in parsed], max_batch_size=None)
    several = [text for text, override in swept.items() if not is_single(override)]
    keys = {text.partition("=")[0] for text in axes + several}
    named = [(job, run_name([text for text in job if text.partition("=")[0] in keys], FIRST_IN_NAMES)) for job in batch]
    return [with_usual([*job, *hydras, *([f"name='{name}'"] if keys else [])]) for job, name in named]


def with_axes(params: Mapping[str, Any] | None, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The axes that an experiment brings along, and the overrides without that experiment if it consists of others."""
    axes = [f"{key}={value}" for key, value in (params or {}).items()]
    names = [text for text in axes if text.startswith("experiment=")]
    return axes, [text for text in overrides if not (names and text.startswith("experiment="))]


def is_single(override: Override) -> bool:
    """Whether it is an axis with one value."""
    values = override.value()
    return isinstance(values, ChoiceSweep) and len(values.list) == 1
