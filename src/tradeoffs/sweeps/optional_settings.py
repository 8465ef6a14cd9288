"""Settings that only some jobs of a sweep can have, such as `model.num_proposals=50` with `model=ssd,rfcn`.

Hydra composes once without the axes of a sweep, and would refuse what the default choice does not have. As an axis with
one value it is given to each job alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override, OverrideType

from tradeoffs.settings.compose import CONF, chosen_parts, parse
from tradeoffs.settings.overrides import key_of

OF_LAUNCHERS = ("hydra", "trainer")  # groups whose settings are needed before the first job
EXPERIMENT = "experiment"  # chooses any group


def as_axes(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[str]:
    """The same sweep; settings inside of a group of which it takes several choices are axes with one value."""
    parsed = parse(overrides)
    inside = {text: group for text, override in parsed if (group := group_around(override, conf))}
    if not inside:
        return list(overrides)
    _, config = chosen_parts(config_name, overrides, conf)
    axes = {key_of(text) for text, override in parsed if override.is_sweep_override()}
    axes |= set(config.hydra.sweeper.get("params") or {})
    return [as_axis(text) if text in inside and {inside[text], EXPERIMENT} & axes else text for text in overrides]


def group_around(override: Override, conf: Path) -> str | None:
    """Of a setting that may be hidden from Hydra: `null` cannot be an axis."""
    group, inside, _ = override.key_or_group.partition(".")
    if not inside or group in OF_LAUNCHERS or not (conf / group).is_dir():
        return None
    if override.type != OverrideType.CHANGE or override.is_sweep_override() or override.value() in (None, ""):
        return None
    return group


def as_axis(text: str) -> str:
    key, _, value = text.partition("=")
    return f"{key}=choice({value})"
