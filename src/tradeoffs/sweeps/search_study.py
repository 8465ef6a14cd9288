"""The study of a search: its file in the sweep's folder, what is proposed next, and the best of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import Timeout
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tradeoffs.errors import BusyError, UserError
from tradeoffs.results.columns import CLOCKED, COLUMNS
from tradeoffs.results.neutral import PLACES
from tradeoffs.runs.data_hashes import Hashes
from tradeoffs.runs.data_hashes import changes as other_data
from tradeoffs.runs.lock import lock_of
from tradeoffs.sweeps.search_space import Space

STORAGE = "optuna.log"
SETUP, DATA = "setup", "data"  # of the study, by which a changed one is found out
DIRECTIONS = {"high": "maximize", "low": "minimize"}


@contextmanager
def sole_search(folder: Path) -> Iterator[None]:
    """Holds the study in the folder for this process. Raises BusyError if another does."""
    try:
        held = lock_of(folder / STORAGE).acquire(timeout=0)
    except Timeout:
        raise BusyError(f"{folder} is searched by another process; wait for it, or choose another name=") from None
    with held:
        yield


class HeldAlready(JournalFileOpenLock):
    """The file's own lock: `sole_search` holds one for it. Optuna's would outlive a process that is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def open_study(folder: Path, space: Space, objectives: Sequence[str], anew: bool, hashes: Hashes) -> optuna.Study:
    """The study in the folder, or a new one. Raises UserError if it is about something else, or on other data."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=ExperimentalWarning)
    path = folder / STORAGE
    if anew:
        path.unlink(missing_ok=True)
    drop_cut_line(path)
    study = optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path), HeldAlready(str(path)))),
        study_name="search",
        directions=[DIRECTIONS[COLUMNS[name].better] for name in objectives],
        load_if_exists=True,
    )
    setup = {**space.described(), "objectives": ", ".join(objectives)}
    before = {key: value for key, value in study.user_attrs.get(SETUP, setup).items() if key not in PLACES}
    known = study.user_attrs.get(DATA, {})
    if changes := differences(before, setup) + other_data(known, hashes):
        raise UserError(f"{folder} holds another search; choose another name=, or overwrite=true", changes)
    study.set_user_attr(SETUP, setup)
    study.set_user_attr(DATA, {split: now or known.get(split) for split, now in hashes.items()})
    return study


def drop_cut_line(path: Path) -> None:
    """What a kill left of the last line: Optuna would write on behind it, and then read neither."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with path.open("r+b") as file:
                file.truncate(whole)


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return tuple(f"{key}: {before.get(key, 'not given')} -> {after.get(key, 'not given')}" for key in keys)


class RoundingSampler(TPESampler):
    """Proposes numbers with few digits, so that a run's name is short and its settings are those in the study."""

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        values = super().sample_relative(study, trial, search_space)
        return {axis: rounded(value, search_space[axis]) for axis, value in values.items()}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        value = super().sample_independent(study, trial, param_name, param_distribution)
        return rounded(value, param_distribution)


def rounded(value: Any, distribution: BaseDistribution) -> Any:
    """To a thousandth: of the value on a logarithmic axis, else of the axis; never beyond its ends."""
    if not isinstance(distribution, FloatDistribution) or distribution.single():
        return value
    low, high = distribution.low, distribution.high
    value = float(f"{value:.3g}") if distribution.log else round(value, 3 - math.ceil(math.log10(high - low)))
    return min(max(value, low), high)


def sampler_for(number: int, seed: int, startup_trials: int) -> TPESampler:
    """What it proposes depends on the trial's number and the results so far, not on when a search was interrupted."""
    address = int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
    return RoundingSampler(seed=address, n_startup_trials=startup_trials, constant_liar=True)


def show_best(
    trials: Iterable[FrozenTrial], space: Space, objectives: Sequence[str], shaken: Collection[int] = ()
) -> None:
    """Prints those that no other one beats in all objectives: the Pareto frontier.

    Trials whose times are `shaken`, by number, are marked, and beat nobody.
    """
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not finished:
        return
    shaken = set(shaken) if any(name in CLOCKED for name in objectives) else set()
    signs = [1 if COLUMNS[name].better == "low" else -1 for name in objectives]
    costs = np.array([trial.values for trial in finished]) * signs
    beats = (costs[:, None] <= costs).all(axis=-1) & (costs[:, None] < costs).any(axis=-1)
    beats[[trial.number in shaken for trial in finished]] = False
    best = [trial for trial, beaten in zip(finished, beats.any(axis=0), strict=True) if not beaten]
    table = Table(title=f"best by {', '.join(objectives)}", title_justify="left")
    for title in ("trial", *space.axes, *objectives):
        table.add_column(title, justify="right" if title in ("trial", *objectives) else "left", overflow="fold")
    for trial in sorted(best, key=lambda trial: trial.values[0]):
        settings = [str(trial.params[axis]) for axis in space.axes]
        marks = ["!" if trial.number in shaken and name in CLOCKED else "" for name in objectives]
        values = [f"{value:.4g}{mark}" for value, mark in zip(trial.values, marks, strict=True)]
        table.add_row(*map(escape, [str(trial.number), *settings, *values]))
    Console().print(table)
    if shaken & {trial.number for trial in best}:
        print("! disturbed: such a time puts no other trial off this table, and need not belong there itself")
