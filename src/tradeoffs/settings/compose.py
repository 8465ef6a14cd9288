"""How the words of a command line become a config. Whether it makes sense is checked by `rules`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from tradeoffs.errors import UserError
from tradeoffs.files import CONF
from tradeoffs.model_facts import KEY as OPERATING_POINT
from tradeoffs.model_facts import USUAL
from tradeoffs.settings.hydra_errors import explain, one_line, unknown_choice
from tradeoffs.settings.overrides import with_choices
from tradeoffs.settings.run_name import register_resolvers
from tradeoffs.settings.saved_settings import SAVED_RUN, offer_saved_run
from tradeoffs.settings.usual import with_usual
from tradeoffs.task_facts import KEYS


def compose(config_name: str, overrides: Sequence[str] = (), conf: Path = CONF) -> DictConfig:
    """The config that `python <config_name>.py <overrides>` runs with, not yet checked.

    Raises UserError for unknown names and for overrides that Hydra cannot read.
    """
    return compose_with_axes(config_name, overrides, conf)[0]


def compose_with_axes(
    config_name: str, overrides: Sequence[str], conf: Path = CONF
) -> tuple[DictConfig, Mapping[str, Any]]:
    """The same, and what an experiment would sweep over: setting -> values, as in `1,2,3`."""
    config = compose_with_hydra(config_name, overrides, conf)
    axes = config.hydra.sweeper.get("params") or {}
    require_published_backbone(config, config_name, conf)
    settle(config)
    with open_dict(config):
        config.pop("hydra")
    return config, axes


def require_published_backbone(config: DictConfig, config_name: str, conf: Path) -> None:
    """Raises UserError for a backbone that was chosen where `weights` bring their own."""
    weights, choice = config.get("weights"), config.hydra.runtime.choices.get("backbone")
    if not weights or "backbone" not in weights or choice == weights.backbone:
        return
    default = re.search(r"- backbone: *(\w+)", (conf / f"{config_name}.yaml").read_text())
    if any(text.startswith("backbone=") for text in config.hydra.overrides.task) or (default and choice != default[1]):
        raise UserError(f"weights={weights.name} are of backbone={weights.backbone}, not of {choice}; leave that out")


def settle(config: DictConfig) -> None:
    """Computes what depends on the overrides while those are at hand: not in every process they are.

    Names and paths that look like numbers are words all the same. What a task or model says of itself is no setting.
    """
    with open_dict(config):
        for key in KEYS:
            (config.get("task") or {}).pop(key, None)
        for key in (OPERATING_POINT, USUAL):
            (config.get("model") or {}).pop(key, None)
    for key in {"name", "output", "runs"}.intersection(config):  # `in` would compute them
        if not OmegaConf.is_missing(config, key):
            config[key] = word_at(config, key)
    for key, value in OmegaConf.to_container(config.get("lookup", OmegaConf.create())).items():
        if str(value).startswith("${chosen:"):
            config.lookup[key] = config.lookup[key]


def word_at(config: DictConfig, key: str) -> object:
    """The text of a number. Raises UserError for a reference that leads nowhere."""
    try:
        value = config[key]
    except OmegaConfBaseException as error:
        raise UserError(f"{key} has no value: {one_line(error)}") from error
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def settings(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[str]:
    """Every key that can be set once the groups are chosen as in `overrides`, dotted."""
    choices = [text for text in overrides if text.startswith("run=") or (conf / text.partition("=")[0]).is_dir()]
    return [key for key, _ in leaves(compose(config_name, choices, conf), inner=True)]


def chosen_parts(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> tuple[dict, DictConfig]:
    """Group -> choice, and the config, as the choices among `overrides` make them; other settings have no say."""
    if SAVED_RUN in (conf / f"{config_name}.yaml").read_text():
        return {}, OmegaConf.create()  # its parts are those of a run
    choices = [text for text, override in parse(overrides) if _is_choice(override, conf)]
    config = compose_with_hydra(config_name, choices, conf)
    return dict(config.hydra.runtime.choices), config


def _is_choice(override: Override, conf: Path) -> bool:
    return (conf / override.key_or_group).is_dir() and not override.is_sweep_override()


def leaves(config: DictConfig, inner: bool = False) -> Iterator[tuple[str, object]]:
    """Dotted keys with their unresolved values; with `inner`, those of the dictionaries in between too."""

    def walk(node: dict, prefix: str) -> Iterator[tuple[str, object]]:
        for key, value in node.items():
            if inner or not isinstance(value, dict):
                yield f"{prefix}{key}", value
            if isinstance(value, dict):
                yield from walk(value, f"{prefix}{key}.")

    return walk(OmegaConf.to_container(config, resolve=False), "")


def _without(key: str, overrides: Sequence[str]) -> list[str]:
    return [text for text in overrides if text.partition("=")[0].lstrip("+") != key]


def parse(overrides: Sequence[str]) -> list[tuple[str, Override]]:
    loader = GlobalHydra.instance().config_loader() if GlobalHydra.instance().is_initialized() else None
    try:
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))
    except HydraException as error:
        raise explain(error) from error
    return list(zip(overrides, parsed, strict=True))


def compose_with_hydra(config_name: str, overrides: Sequence[str], conf: Path) -> DictConfig:
    """The config with Hydra's own part, in which the overrides and the choices stand."""
    register_resolvers()
    if SAVED_RUN in (conf / f"{config_name}.yaml").read_text():
        offer_saved_run({override.key_or_group: override.value() for _, override in parse(overrides)}, conf)
        with_choices.cache_clear()  # of another run
    else:
        overrides = with_usual(overrides)
    try:
        with hydra_for(config_name, conf):
            return hydra.compose(config_name, list(overrides), return_hydra_config=True)
    except HydraException as error:
        raise explain(error, lambda key: settings(config_name, _without(key, overrides), conf)) from error
    except OmegaConfBaseException as error:
        raise UserError(one_line(error)) from error
    except ValueError as error:  # Hydra's word for a choice that is no name, as in model=null
        raise _no_name(overrides, conf) or error from error


@contextmanager
def hydra_for(config_name: str, conf: Path) -> Iterator[None]:
    """Hydra with these configs; one that is at work already, as in a sweep, goes on afterwards."""
    current = GlobalHydra.instance()
    outer, current.hydra = current.hydra, None
    try:
        with hydra.initialize_config_dir(str(conf), version_base="1.3", job_name=config_name):
            yield
    finally:
        GlobalHydra.instance().hydra = outer


def _no_name(overrides: Sequence[str], conf: Path) -> UserError | None:
    for text, override in parse(overrides):
        group = override.key_or_group
        if (conf / group).is_dir() and not isinstance(override.value(), str | list):
            return unknown_choice(group, text.partition("=")[2], [file.stem for file in (conf / group).glob("*.yaml")])
    return None
