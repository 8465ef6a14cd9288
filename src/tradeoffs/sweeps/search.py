"""A search from its command line to the best runs: proposed, run as jobs of a sweep, and told to the study."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig
from optuna.trial import FrozenTrial, TrialState, create_trial

from tradeoffs.errors import CRASH, JobFailedError, UserError
from tradeoffs.results.columns import ACCURACY, COLUMNS, disturbed
from tradeoffs.results.question import counted
from tradeoffs.runs.data_hashes import Hashes, data_now
from tradeoffs.settings.overrides import main_folder
from tradeoffs.settings.values import COUNT, Number
from tradeoffs.sweeps.grid import launch, left_to_do
from tradeoffs.sweeps.overview import next_steps, show_table
from tradeoffs.sweeps.plan import Job, done_record
from tradeoffs.sweeps.search_space import Space, Values, read_space
from tradeoffs.sweeps.search_study import open_study, sampler_for, show_best, sole_search
from tradeoffs.sweeps.slots import divide

SKIPPED = "skipped"  # in the study: name of a run that makes no sense -> why
PATIENCE = 100  # proposals in a row that are no new runs

RULES = {
    "trials": COUNT,
    "at_once": Number(1, whole=True, also=("auto",)),
    "startup_trials": COUNT,
    "seed": Number(0, whole=True),
}


class Settings(NamedTuple):
    """What conf/hydra/sweeper/optuna.yaml explains."""

    trials: int
    objectives: Sequence[str]
    at_once: int | str
    startup_trials: int
    seed: int
    params: Mapping[str, Any] | None = None


def sweep_search(config: DictConfig, overrides: Sequence[str], launcher: Launcher, settings: Settings) -> None:
    """Runs with `launcher` until there are as many runs as asked for, those of earlier searches in the folder included.

    Raises JobFailedError at the end if any of them is not finished then, UserError before the first one for mistakes.
    """
    check_settings(settings, config.measure)
    by_accuracy = config.stop_hopeless == "auto" and config.task.headline in settings.objectives
    words = [*overrides, "stop_hopeless=true"] if by_accuracy else overrides
    space = read_space(config.hydra.job.config_name, words, settings.params, main_folder(config.hydra))
    space.require_possible()
    folder = Path(config.hydra.sweep.dir)
    with sole_search(folder):
        study = open_study(folder, space, settings.objectives, anew=config.overwrite, hashes=data_of(config, space))
        search = Search(study, space, settings, launcher)
        try:
            search.run(how_many_at_once(settings, config))
        finally:
            unfinished = show_table(search.jobs(), search.skipped, folder)
            show_best(search.runs().values(), space, settings.objectives, search.shaken())
            warn_of_devices(search.jobs())
            for line in next_steps(folder, unfinished, config.overwrite):
                print(line)
    if unfinished:
        raise JobFailedError(CRASH)


def check_settings(settings: Settings, measure: bool) -> None:
    for key, rule in RULES.items():
        if not rule.allows(value := getattr(settings, key)):
            raise UserError(f"hydra.sweeper.{key}={value} is impossible; it is {rule}")
    known = [name for name, column in COLUMNS.items() if column.better]
    for name in settings.objectives:
        if name not in known:
            raise UserError(f"objective {name} is unknown; hydra.sweeper.objectives=[...] are of: {', '.join(known)}")
        if not measure and name not in (*ACCURACY, "minutes"):
            raise UserError(f"objective {name} is measured after training, and measure=false; leave that out")
    if not settings.objectives:
        raise UserError("hydra.sweeper.objectives=[] is impossible; name one or more, as in [mAP,ms]")


def data_of(config: DictConfig, space: Space) -> Hashes:
    """Of all trials; none where the data are an axis: then each run tells its own apart."""
    return {} if any(axis == "data" or axis.startswith("data.") for axis in space.axes) else data_now(config)


def how_many_at_once(settings: Settings, config: DictConfig) -> int:
    if settings.at_once != "auto":
        return settings.at_once
    return len(divide([Job((), config)], "auto"))


def warn_of_devices(jobs: Sequence[Job]) -> None:
    devices = {COLUMNS["device"].read(record) for record in map(done_record, jobs) if record}
    if len(devices) > 1:
        print(f"these runs were made on several devices, whose times do not compare: {'; '.join(map(str, devices))}")


class Search:
    """The trials of a study as jobs of a sweep.

    Trials with equal settings share a run, so a setting that is proposed again costs nothing. What makes no sense is
    told as pruned, as is a run that was stopped early: Optuna then avoids its like, and does not take a score from the
    middle of a training for a final one.
    """

    def __init__(self, study: optuna.Study, space: Space, settings: Settings, launcher: Launcher):
        self.study, self.space, self.settings, self.launcher = study, space, settings, launcher
        self.combinations = space.combinations()
        self.started: set[str] = set()  # names of runs, by this process

    @property
    def skipped(self) -> dict[str, str]:
        return self.study.user_attrs.get(SKIPPED, {})

    def runs(self) -> dict[str, FrozenTrial]:
        """By name, the latest trial of each that makes sense."""
        skipped = self.skipped
        whole = [trial for trial in self.study.trials if trial.params.keys() == self.space.axes.keys()]
        named = {self.space.name(trial.params): trial for trial in whole}
        return {name: trial for name, trial in named.items() if name not in skipped}

    def jobs(self) -> list[Job]:
        return list(filter(None, (self.job(trial.params) for trial in self.runs().values())))

    def shaken(self) -> set[int]:
        """Numbers of trials whose times were disturbed."""
        records = {trial.number: done_record(job) for trial in self.runs().values() if (job := self.job(trial.params))}
        return {number for number, record in records.items() if record and disturbed(record)}

    def run(self, at_once: int) -> None:
        self.run_batch(self.left_over())
        while self.run_batch(self.proposals(at_once)):
            print(f"ended: {len(self.runs())} of {counted(self.settings.trials, 'run')} of the search")
        if len(self.runs()) < self.settings.trials:
            print("nothing else is left to try")

    def left_over(self) -> list[tuple[int, Job]]:
        """Trials that were running when a search ended; new ones for runs that failed, or have another record now."""
        batch = []
        for trial in self.study.get_trials(states=[TrialState.RUNNING]):
            if trial.params.keys() == self.space.axes.keys():
                batch += self.trial_and_job(trial.number, trial.params)
            else:  # killed while it was proposed
                self.study.tell(trial.number, state=TrialState.FAIL)
        for trial in self.runs().values():
            job = self.job(trial.params)
            if trial.state == TrialState.RUNNING or job is None:
                continue
            if not done_record(job) or self.outcome(job) != (trial.state, trial.values):
                batch.append((self.add(trial.params), job))
        return batch

    def proposals(self, at_once: int) -> list[tuple[int, Job]]:
        """Trials whose runs are new, up to `at_once` of them, and those that were proposed again in between.

        Empty if there are enough runs, or nothing is left to try.
        """
        batch: list[tuple[int, Job]] = []
        wanted = min(at_once, self.settings.trials - len(self.runs()))
        new, in_vain, repeated = 0, 0, False
        while new < wanted and in_vain < PATIENCE:
            seen = self.runs().keys() | self.skipped.keys()
            untried = self.untried(seen)
            if untried == []:
                break
            number, values = self.ask(untried if repeated else None)
            repeated = self.space.name(values) in seen
            found = self.trial_and_job(number, values)
            batch += found
            if found and not repeated:
                new, in_vain = new + 1, 0
            else:
                in_vain += 1
        return batch

    def untried(self, seen: set[str]) -> list[Values] | None:
        """None where there are too many combinations to be listed."""
        if self.combinations is None:
            return None
        return [values for values in self.combinations if self.space.name(values) not in seen]

    def ask(self, among: list[Values] | None) -> tuple[int, Values]:
        """A new trial, as the sampler proposes it, or by chance one of a few."""
        number, seed = len(self.study.trials), self.settings.seed
        if among:
            values = random.Random(f"{seed},{number}").choice(among)
            return self.add(values), values
        self.study.sampler = sampler_for(number, seed, self.settings.startup_trials)
        trial = self.study.ask(self.space.axes)
        return trial.number, trial.params

    def add(self, values: Values) -> int:
        trial = create_trial(state=TrialState.RUNNING, params=dict(values), distributions=self.space.axes)
        self.study.add_trial(trial)
        return len(self.study.trials) - 1

    def trial_and_job(self, number: int, values: Values) -> list[tuple[int, Job]]:
        """One pair, or none: what makes no sense is told at once."""
        if job := self.job(values):
            return [(number, job)]
        self.study.tell(number, state=TrialState.PRUNED)
        return []

    def job(self, values: Values) -> Job | None:
        try:
            return self.space.job(values)
        except UserError as fault:
            self.skip(self.space.name(values), str(fault))
            return None

    def skip(self, name: str, reason: str) -> None:
        if name not in self.skipped:
            print(f"skipped {name}: {reason}")
            self.study.set_user_attr(SKIPPED, {**self.skipped, name: reason})

    def run_batch(self, batch: Sequence[tuple[int, Job]]) -> bool:
        """Runs each job once, unless it is finished, and tells what is in the records; whether any job was new."""
        jobs = {job.name: job for _, job in batch if job.name not in self.started}
        waiting = left_to_do(jobs.values())
        self.started |= jobs.keys()
        if waiting:
            for name, reason in launch(self.launcher, waiting, len(self.started)).items():
                self.skip(name, reason)
        for number, job in batch:
            state, values = self.outcome(job)
            self.study.tell(number, values, state)
        return bool(jobs)

    def outcome(self, job: Job) -> tuple[TrialState, list[float] | None]:
        """What the record says to the study."""
        record = done_record(job)
        if job.name in self.skipped or (record and record.status == "stopped"):
            return TrialState.PRUNED, None
        values = [COLUMNS[name].read(record) for name in self.settings.objectives] if record else [None]
        return (TrialState.FAIL, None) if None in values else (TrialState.COMPLETE, values)
