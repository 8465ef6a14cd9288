"""Settings: how a command line becomes a config, and what a config must satisfy before anything slow starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from tradeoffs.apps.mistakes import explain, one_line, unknown_choice
from tradeoffs.apps.run_folder import FIRST_IN_NAMES, register_resolvers, run_name
from tradeoffs.apps.saved_runs import existing_runs, load_run_config
from tradeoffs.errors import UserError

CONF = Path(__file__).resolve().parents[3] / "conf"
# Settings, and groups with all their settings, that a trained run is done with.
TRAINING = (
    *("epochs", "seed", "ema", "checkpoint_minutes", "overwrite", "keep_last", "resume", "logger", "experiment"),
    *("optimizer", "schedule", "augmentation", "task.head_lr", "backbone.weights", "backbone.frozen_stages"),
    *("trainer.accumulate_grad_batches", "trainer.gradient_clip_val", "trainer.check_val_every_n_epoch"),
    *("trainer.limit_train_batches", "trainer.log_every_n_steps", "trainer.sync_batchnorm"),
)
GRIDS = (BasicSweeper.__name__, "GridSweeper")  # sweepers that know all jobs from the beginning
SAVED_RUN = "saved_run"  # in a defaults list: the settings of the run that `run=...` names


def compose(config_name: str, overrides: Sequence[str] = (), conf: Path = CONF) -> DictConfig:
    """The config that `python <config_name>.py <overrides>` runs with, not yet checked.

    Raises UserError for unknown names and for overrides that Hydra cannot read.
    """
    return compose_with_axes(config_name, overrides, conf)[0]


def compose_with_axes(
    config_name: str, overrides: Sequence[str], conf: Path = CONF
) -> tuple[DictConfig, Mapping[str, Any]]:
    """The same, and what an experiment would sweep over: setting -> values, as in `1,2,3`."""
    config = _compose_with_hydra(config_name, overrides, conf)
    axes = config.hydra.sweeper.get("params") or {}
    require_published_backbone(config, config_name, conf)
    settle_names(config)
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


def settle_names(config: DictConfig) -> None:
    """Computes what depends on the overrides while those are at hand: not in every process they are.

    Names and paths that look like numbers are words all the same.
    """
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


def jobs(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[list[str]]:
    """The overrides of every job of a grid; none if a sweeper decides that looks at the results of others.

    Each is named by its values on the axes: what all have in common names the folder of the sweep.
    """
    swept = {text: override for text, override in parse(overrides) if override.is_sweep_override()}
    fixed = [text for text in overrides if text not in swept]
    sweeper = _compose_with_hydra(config_name, fixed, conf).hydra.sweeper
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
    return [[*job, *hydras, *([f"name='{name}'"] if keys else [])] for job, name in named]


def with_axes(params: Mapping[str, Any] | None, overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """The axes that an experiment brings along, and the overrides without that experiment if it consists of others."""
    axes = [f"{key}={value}" for key, value in (params or {}).items()]
    names = [text for text in axes if text.startswith("experiment=")]
    return axes, [text for text in overrides if not (names and text.startswith("experiment="))]


def settings(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[str]:
    """Every key that can be set once the groups are chosen as in `overrides`, dotted."""
    decisive = [text for text in overrides if text.startswith("run=") or (conf / text.partition("=")[0]).is_dir()]
    return [key for key, _ in leaves(compose(config_name, decisive, conf), inner=True)]


def chosen_parts(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> tuple[dict, DictConfig]:
    """Group -> choice, and the config, as the choices among `overrides` make them; other settings have no say."""
    if SAVED_RUN in (conf / f"{config_name}.yaml").read_text():
        return {}, OmegaConf.create()  # its parts are those of a run
    decisive = [text for text, override in parse(overrides) if _is_choice(override, conf)]
    config = _compose_with_hydra(config_name, decisive, conf)
    return dict(config.hydra.runtime.choices), config


def only_for_training(key: str) -> bool:
    return any(key == training or key.startswith(f"{training}.") for training in TRAINING)


def is_single(override: Override) -> bool:
    """Whether it is an axis with one value."""
    values = override.value()
    return isinstance(values, ChoiceSweep) and len(values.list) == 1


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


def _compose_with_hydra(config_name: str, overrides: Sequence[str], conf: Path) -> DictConfig:
    """The config with Hydra's own part, in which the overrides and the choices stand."""
    register_resolvers()
    if SAVED_RUN in (conf / f"{config_name}.yaml").read_text():
        _offer_saved_run(overrides, conf)
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


def _offer_saved_run(overrides: Sequence[str], conf: Path) -> None:
    """Lets a defaults list begin with a run's own settings, less the groups that the command line replaces."""
    given = {override.key_or_group: override.value() for _, override in parse(overrides)}
    if "run" not in given:
        raise UserError(f"run is missing; add run=FOLDER; {existing_runs()}")
    saved = load_run_config(str(given["run"]))
    for key in filter(only_for_training, given):
        raise UserError(f"{key} is for training only and changes nothing here; leave it out")
    for key in {"data.root", "data_dir"} & given.keys() if "data" not in given else ():
        raise UserError(f"{key} alone does not move the data of a run; add data={saved.data.name}")
    require_known_targets(str(given["run"]), saved, conf)
    replaced = {"hydra", *(key for key in given if (conf / key).is_dir())}
    kept = {key: value for key, value in saved.items_ex(resolve=False) if key not in replaced}
    ConfigStore.instance().store(SAVED_RUN, kept)


def require_known_targets(run: str, saved: DictConfig, conf: Path) -> None:
    """Raises UserError if a run, which may come from anywhere, names code to be called that none of our files names."""
    known = set(re.findall(r"_target_: *([\w.]+)", "\n".join(file.read_text() for file in conf.rglob("*.yaml"))))
    for target in targets(OmegaConf.to_container(saved, resolve=False)):
        if target not in known:
            raise UserError(f"run={run} is refused: its config.yaml calls {target}, which no file in conf/ does")


def targets(node: object) -> Iterator[object]:
    """Whatever Hydra would call."""
    if isinstance(node, dict):
        yield from [node["_target_"]] if "_target_" in node else []
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from targets(inner)
