"""A grid of runs from its command line to the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from tradeoffs.apps.decisive import main_folder
from tradeoffs.apps.launch import CRASH, JobFailedError
from tradeoffs.apps.sweep.overview import show_table
from tradeoffs.apps.sweep.plan import done_record, plan_sweep
from tradeoffs.errors import MismatchError


def sweep_grid(config: DictConfig, overrides: Sequence[str], launcher: Launcher) -> None:
    """Runs with `launcher` what is not finished. Raises JobFailedError at the end if any job is not finished then."""
    plan = plan_sweep(config.hydra.job.config_name, tuple(overrides), main_folder(config.hydra))
    for words, reason in plan.skipped.items():
        print(f"skipped {words}: {reason}")
    waiting = [job for job in plan.jobs if job.config.overwrite or not done_record(job)]
    if finished := len(plan.jobs) - len(waiting):
        print(f"{finished} of {len(plan.jobs)} runs are finished already")
    jobs, skipped = list(plan.jobs), dict(plan.skipped)
    try:
        returns = launcher.launch([job.overrides for job in waiting], initial_job_idx=0) if waiting else []
        for job, ended in zip(waiting, returns, strict=True):
            if reason := reason_to_skip(ended):
                jobs.remove(job)
                skipped[job.name] = reason
    finally:
        unfinished = show_table(jobs, skipped, Path(config.hydra.sweep.dir))
    if unfinished:
        raise JobFailedError(CRASH)


def reason_to_skip(ended: JobReturn) -> str | None:
    """Of parts that were found not to go together only when they were built."""
    outcome = ended._return_value  # return_value raises that of a failed job
    if isinstance(outcome, JobFailedError) and isinstance(outcome.args[-1], MismatchError):  # of another launcher
        return str(outcome.args[-1])
    return outcome.error if getattr(outcome, "status", None) == "skipped" else None
