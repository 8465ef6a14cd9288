"""Which overrides make a difference: one that repeats a default does not, and a run is not named by it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path

import hydra
import yaml
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from tradeoffs.settings.usual import with_usual

NOTHING = object()


def effective(overrides: Sequence[str], config: DictConfig, part_of_hydra: DictConfig) -> list[str]:
    """The overrides without which `config`, which was composed with them, would be another one."""
    if not overrides:
        return []
    conf, job = main_folder(part_of_hydra), part_of_hydra.job
    groups = [text for text in overrides if (conf / key_of(text)).is_dir()]
    with hydra_begun(conf, job.name):
        groups = needed(groups, conf, job.config_name)
        before = with_choices(conf, job.config_name, tuple(groups))
    after = OmegaConf.to_container(config, resolve=False)
    changed = {text for text in overrides if value(before, text) != value(after, text) or text.startswith("~")}
    return [text for text in overrides if (text in groups if (conf / key_of(text)).is_dir() else text in changed)]


def hydra_begun(conf: Path, job_name: str) -> AbstractContextManager:
    """As it is, inside of a job; else for as long as it is needed."""
    begun = GlobalHydra.instance().is_initialized()
    return nullcontext() if begun else hydra.initialize_config_dir(str(conf), job_name, version_base="1.3")


def groups_in_order(part_of_hydra: DictConfig) -> list[str]:
    """The groups of the main config, as its list of defaults names them."""
    text = (main_folder(part_of_hydra) / f"{part_of_hydra.job.config_name}.yaml").read_text()
    entries = [entry for entry in yaml.safe_load(text).get("defaults", []) if isinstance(entry, dict)]
    return [key.rpartition(" ")[2] for entry in entries for key in entry]


def main_folder(part_of_hydra: DictConfig) -> Path:
    sources = part_of_hydra.runtime.config_sources
    return next(Path(source.path) for source in sources if source.provider == "main")


@cache
def with_choices(conf: Path, config_name: str, groups: tuple[str, ...]) -> dict:
    """The settings with these choices alone. Remembered, since jobs of a sweep mostly choose alike."""
    return OmegaConf.to_container(hydra.compose(config_name, with_usual(groups)), resolve=False)


def needed(groups: list[str], conf: Path, config_name: str) -> list[str]:
    """The choices that would not be made without saying so: by default, or by an experiment."""
    made = choices(conf, config_name, tuple(groups))
    for text in groups:
        others = [other for other in groups if other != text]
        if choices(conf, config_name, tuple(others)) == made:
            groups = others
    return groups


@cache
def choices(conf: Path, config_name: str, groups: tuple[str, ...]) -> dict | None:
    """Group -> choice; None where nothing can be composed. Much faster than composing."""
    loader = GlobalHydra.instance().config_loader()
    try:
        return dict(loader.compute_defaults_list(config_name, with_usual(groups), RunMode.RUN).overrides.known_choices)
    except HydraException:
        return None


def key_of(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")


def value(settings: dict, override: str) -> object:
    """What a config holds where an override points to."""
    for key in key_of(override).split("."):
        settings = settings.get(key, NOTHING) if isinstance(settings, dict) else NOTHING
    return settings
