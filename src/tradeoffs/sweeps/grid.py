"""A grid of runs from its command line to the table of all of them."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from tradeoffs.errors import CRASH, JobFailedError, MismatchError, UserError
from tradeoffs.results.question import counted
from tradeoffs.runs.folder import unscored_points
from tradeoffs.settings.overrides import main_folder
from tradeoffs.sweeps.failures import outdate
from tradeoffs.sweeps.overview import next_steps, show_table
from tradeoffs.sweeps.plan import Job, done_record, plan_sweep


def sweep_grid(config: DictConfig, overrides: Sequence[str], launcher: Launcher) -> None:
    """Runs with `launcher` what is not finished. Raises JobFailedError at the end if any job is not finished then."""
    plan = plan_sweep(config.hydra.job.config_name, tuple(overrides), main_folder(config.hydra))
    if not plan.jobs:
        raise UserError("this sweep has no runs: one of its axes has no value")
    for words, reason in plan.skipped.items():
        print(f"skipped {words}: {reason}")
    waiting = left_to_do(plan.jobs)
    if finished := len(plan.jobs) - len(waiting):
        print(f"finished already: {finished} of {counted(len(plan.jobs), 'run')}")
        for remedy in filter(None, (unscored_points(job.config) for job in plan.jobs if job not in waiting)):
            print(f"one was not scored with these operating_points: {remedy}")
    jobs, skipped = list(plan.jobs), dict(plan.skipped)
    try:
        senseless = launch(launcher, waiting) if waiting else {}
        jobs = [job for job in jobs if job.name not in senseless]
        skipped |= senseless
    finally:
        folder = Path(config.hydra.sweep.dir)
        unfinished = show_table(jobs, skipped, folder)
        for line in next_steps(folder, unfinished, config.overwrite):
            print(line)
    if unfinished:
        raise JobFailedError(CRASH)


def left_to_do(jobs: Iterable[Job]) -> list[Job]:
    """Those that are not done; with overwrite=true none is."""
    jobs = list(jobs)
    for job in jobs:
        if job.config.overwrite:
            outdate(job.config)
    return [job for job in jobs if not done_record(job)]


def launch(launcher: Launcher, jobs: Sequence[Job], first: int = 0) -> dict[str, str]:
    """Runs the jobs; of those whose parts do not go together, by name, why.

    Launchers for clusters raise as soon as they learn of a job that left nothing, as one does that was killed. What
    became of the jobs is in their records then.
    """
    try:
        returns = launcher.launch([job.overrides for job in jobs], initial_job_idx=first)
    except (UserError, JobFailedError):
        raise
    except Exception:
        traceback.print_exc()
        print("a job was lost; others may still be queued or run: the same command, typed later, goes on from there")
        return {}
    reasons = {job.name: reason_to_skip(ended) for job, ended in zip(jobs, returns, strict=True)}
    return {name: reason for name, reason in reasons.items() if reason}


def reason_to_skip(ended: JobReturn) -> str | None:
    """Of parts that were found not to go together only when they were built."""
    outcome = ended._return_value  # return_value raises that of a failed job
    if isinstance(outcome, JobFailedError) and isinstance(outcome.args[-1], MismatchError):  # of another launcher
        return str(outcome.args[-1])
    return outcome.error if getattr(outcome, "status", None) == "skipped" else None
