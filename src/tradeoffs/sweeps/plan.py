"""Which runs a sweep consists of: composed, checked and named before the first one starts. Nothing imports torch."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import MismatchError, UserError
from tradeoffs.results.record import Record, config_hash
from tradeoffs.runs.data_hashes import Hashes, data_now, fault_of_data, recorded_hashes
from tradeoffs.runs.folder import finished_record
from tradeoffs.runs.identity import different_settings, without_neutral
from tradeoffs.settings.command_line import quote
from tradeoffs.settings.compose import CONF, compose, parse
from tradeoffs.settings.folder_names import check_name, check_place
from tradeoffs.settings.overrides import key_of
from tradeoffs.settings.rules import check
from tradeoffs.settings.run_name import FIRST_IN_NAMES, run_name
from tradeoffs.sweeps.grid_jobs import jobs

ENGINES = {"slurm": "hydra-submitit-launcher", "ray": "hydra-ray-launcher"}  # launcher -> whose plugin it needs


class Job(NamedTuple):
    """One run of a sweep: its overrides and all its settings."""

    overrides: tuple[str, ...]
    config: DictConfig

    @property
    def folder(self) -> Path:
        return Path(self.config.runs) / self.config.name

    @property
    def name(self) -> str:
        return self.config.name


class Plan(NamedTuple):
    jobs: tuple[Job, ...]
    skipped: dict[str, str]  # overrides of a combination that makes no sense -> why


def engine_of(overrides: Sequence[str]) -> str | None:
    """The launcher, if it is one that runs jobs elsewhere."""
    chosen = [str(override.value()) for _, override in parse(overrides) if override.key_or_group == "hydra/launcher"]
    return next((launcher for launcher in chosen if launcher in ENGINES), None)


def require_engine(overrides: Sequence[str]) -> None:
    """Raises UserError if the launcher is a plugin that is not installed; it is no dependency of ours."""
    package = ENGINES.get(launcher := engine_of(overrides))
    if package and find_spec(f"hydra_plugins.{package.replace('-', '_')}") is None:
        raise UserError(f"hydra/launcher={launcher} needs {package}; type: pip install {package}")


def in_own_folder(config_name: str, overrides: Sequence[str], conf: Path = CONF) -> list[str]:
    """The same sweep, its runs in a folder that is named by the sweep: by `name=`, or else by its overrides."""
    given = {key_of(text): override.value() for text, override in parse(overrides) if not override.is_sweep_override()}
    runs = as_word(given.get("runs", OmegaConf.load(conf / f"{config_name}.yaml").runs))
    check_place("runs", runs)
    if engine_of(overrides):
        runs = Path(runs).absolute()  # its jobs may begin in any folder
    for text, override in parse(overrides):
        if override.is_sweep_override() and key_of(text) in ("name", "runs"):
            raise UserError(f"{text} holds several values; give one: the runs of a sweep are named by their settings")
    kept = [text for text in overrides if key_of(text) not in ("name", "runs")]
    of_settings = run_name([text for text in kept if not text.startswith("hydra")], FIRST_IN_NAMES)
    check_name(name := as_word(given.get("name", of_settings)))
    if "${" in name:
        raise UserError(f"name={name} refers to a setting, and a sweep has one name; give a plain one")
    return [*kept, f"runs={quote(str(Path(runs) / name))}"]


def as_word(value: object) -> str | None:
    """A number is a word, too; null is none."""
    return None if value is None else str(value)


@cache
def plan_sweep(config_name: str, overrides: tuple[str, ...], conf: Path = CONF) -> Plan:
    """Every run of a grid; none where a search decides. Raises UserError if one has a mistake, or none makes sense.

    Settings that are right each for itself and do not go together are no mistake in a grid: that run is left out.
    """
    started = [tuple(job) for job in jobs(config_name, overrides, conf)]
    outcomes = {job: _job_or_fault(config_name, job, conf) for job in started}
    faults = {job: fault for job, fault in outcomes.items() if isinstance(fault, UserError)}
    mistakes = {job: fault for job, fault in faults.items() if not isinstance(fault, MismatchError)}
    if mistakes or (faults and len(faults) == len(outcomes)):
        raise _none_started(mistakes or faults, len(outcomes))
    fitting: dict[Path, Job] = {}
    skipped = {_words(job): str(fault) for job, fault in faults.items()}
    for job in (outcome for outcome in outcomes.values() if isinstance(outcome, Job)):
        if (first := fitting.setdefault(job.folder, job)) is not job:
            skipped[_words(job.overrides)] = f"the same run as {_words(first.overrides)}"
    return Plan(tuple(fitting.values()), skipped)


def described(plan: Plan) -> Iterator[str]:
    """A line for each job."""
    yield from (f"{job.folder}" for job in plan.jobs)
    yield from (f"skipped {words}: {reason}" for words, reason in plan.skipped.items())
    if not plan.jobs:
        yield "a search chooses its runs by the results of the earlier ones"


@cache
def read_job(config_name: str, overrides: tuple[str, ...], conf: Path = CONF) -> Job:
    """Raises UserError for what cannot work."""
    config = compose(config_name, overrides, conf)
    check(config, conf)
    return Job(overrides, config)


def done_record(job: Job) -> Record | None:
    """The record of a job that has nothing left to do.

    None, too, if its folder holds a run with other settings, or one of other data than those that lie here now.
    """
    record = finished_record(job.config)
    if record is None or not has_settings(record, job.config):
        return None
    now = _data_lately(json.dumps(OmegaConf.to_container(job.config.data, resolve=True)), int(time.monotonic() / 60))
    return None if fault_of_data(job.config, job.folder, recorded_hashes(record.who), now) else record


def has_settings(record: Record, config: DictConfig) -> bool:
    if record.config:  # older records count the place of the data among what is hashed
        return not different_settings(OmegaConf.create(record.config), config)
    return record.who.config_hash == config_hash(without_neutral(config))


@cache
def _data_lately(settings: str, minute: int) -> Hashes:
    """Asked for once a minute: a sweep looks at each of its jobs again and again, and a data set may be large."""
    return data_now(OmegaConf.create({"data": json.loads(settings)}))


def _job_or_fault(config_name: str, overrides: tuple[str, ...], conf: Path) -> Job | UserError:
    try:
        return read_job(config_name, overrides, conf)
    except UserError as fault:
        return fault


def _words(overrides: Sequence[str]) -> str:
    """As they were typed: names were put among them."""
    return " ".join(text for text in overrides if not text.startswith(("runs=", "name=")))


def _none_started(faults: dict[tuple[str, ...], UserError], total: int) -> UserError:
    first = next(iter(faults.values()))
    if len({str(fault) for fault in faults.values()}) > 1:
        lines = tuple(f"{_words(job)}: {fault}" for job, fault in faults.items())
        return UserError(f"{len(faults)} of {total} jobs cannot run, so none was started:", lines)
    if len(faults) < total:
        return UserError(f"{len(faults)} of {total} jobs cannot run, so none was started: {first}", first.details)
    return first
