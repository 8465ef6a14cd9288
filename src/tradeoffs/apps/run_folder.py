"""A run is a folder, named by the settings that make it differ from the default, not by a clock."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError

RUNS = Path("runs")
LONGEST_NAME = 150  # characters; file systems allow 255 bytes, and checkpoints add a little

# Settings that change where, with what help or how often something runs, but not its result.
NEUTRAL = (
    *("name", "runs", "run", "output", "data_dir", "resume", "overwrite", "measure", "checkpoint_minutes"),
    *("workers", "logger"),
    *("data.source.root", "trainer.accelerator", "trainer.devices", "trainer.log_every_n_steps"),
    "trainer.enable_progress_bar",
)


def run_name(overrides: Sequence[str], groups: Sequence[str] = ()) -> str:
    """A file name for overrides: the groups first, in their order, then the other keys by alphabet.

    The order in which they were typed does not matter. A name that is cut, or in which a character had to be
    replaced, ends in a hash of the whole, so different overrides never share a folder.
    """
    chosen = dict(map(_split, overrides))
    rank = {group: place for place, group in enumerate(groups)}
    keys = sorted(filter(_matters, chosen), key=lambda key: (rank.get(key.split(".")[0], len(rank)), key))
    exact = ",".join(f"{key}={chosen[key]}" for key in keys)
    short = ",".join(f"{key}={chosen[key].rpartition('/')[2]}" for key in keys)
    name = re.sub(r"[^\w.,=~+-]", "-", short)
    if name == exact and len(name) <= LONGEST_NAME:
        return name or "default"
    mark = hashlib.sha256(exact.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - len(mark) - 1]},{mark}"


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), re.sub(r"""["'\s\[\]]""", "", value)


def _matters(key: str) -> bool:
    return not any(key == neutral or key.startswith(f"{neutral}.") for neutral in NEUTRAL)


def register_resolvers() -> None:
    """Makes `${run_name:}` and `${run_folder:${run}}` known to OmegaConf. Call it before a config is composed."""

    def resolve(*, _root_: DictConfig) -> str:
        hydra = _root_.get("hydra") or HydraConfig.get()  # a job's own config comes without the part of Hydra
        return run_name(OmegaConf.to_container(hydra.overrides.task, resolve=False), list(hydra.runtime.choices))

    OmegaConf.register_new_resolver("run_name", resolve, replace=True)
    OmegaConf.register_new_resolver("run_folder", lambda run: str(find_run(run)), replace=True)


def find_run(run: str, runs: Path = RUNS) -> Path:
    """The folder of a run, given that folder or its name under `runs`. Raises UserError if there is none."""
    for folder in (Path(run), runs / run):
        if (folder / "config.yaml").is_file():
            return folder
    if Path(run).is_dir():
        raise UserError(f"run={run} is no run: it has no config.yaml; {existing_runs(runs)}")
    raise UserError(f"run={run} does not exist; {existing_runs(runs)}")


def load_run_config(run: str, runs: Path = RUNS) -> DictConfig:
    """The settings that a run was made with. Raises UserError if there is no such run or nothing trained in it."""
    folder = find_run(run, runs)
    if not any((folder / "checkpoints").glob("*.ckpt")):
        raise UserError(f"run={run} has no checkpoint in {folder / 'checkpoints'}; train it first or choose another")
    config = OmegaConf.load(folder / "config.yaml")
    if not isinstance(config, DictConfig):
        raise UserError(f"run={run} is damaged: {folder / 'config.yaml'} holds no settings; choose another")
    return config


def existing_runs(runs: Path = RUNS, most: int = 8) -> str:
    """Says which runs there are, the newest first."""
    found = sorted(runs.glob("*/config.yaml"), key=lambda file: file.stat().st_mtime, reverse=True)
    names = [file.parent.name for file in found[:most]] + ["..."] * (len(found) > most)
    return f"in {runs}/ there are: {' '.join(names)}" if names else f"there are no runs in {runs}/ yet"


def without_neutral(config: DictConfig) -> dict[str, object]:
    """The settings that make a run what it is, dotted and resolved."""
    settings = dict(_flat(OmegaConf.to_container(config, resolve=True)))
    return {key: value for key, value in settings.items() if _matters(key)}


def different_settings(old: DictConfig, new: DictConfig) -> tuple[str, ...]:
    """`key: old -> new` for every setting in which two runs differ, neutral ones aside."""
    before, after = without_neutral(old), without_neutral(new)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys)


def _flat(settings: dict, prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
