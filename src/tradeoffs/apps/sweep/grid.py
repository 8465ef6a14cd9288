"""A grid of runs from its command line to the table of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobStatus
from hydra.plugins.launcher import Launcher
from omegaconf import DictConfig

from tradeoffs.apps.decisive import main_folder
from tradeoffs.apps.launch import CRASH, JobFailedError
from tradeoffs.apps.sweep.overview import show_table
from tradeoffs.apps.sweep.plan import done_record, plan_sweep


def sweep_grid(config: DictConfig, overrides: Sequence[str], launcher: Launcher) -> None:
    """Runs with `launcher` what is not finished. Raises JobFailedError at the end if any job is not finished then."""
    plan = plan_sweep(config.hydra.job.config_name, tuple(overrides), main_folder(config.hydra))
    for words, reason in plan.skipped.items():
        print(f"skipped {words}: {reason}")
    waiting = [job for job in plan.jobs if not done_record(job)]
    if finished := len(plan.jobs) - len(waiting):
        print(f"{finished} of {len(plan.jobs)} runs are finished already")
    try:
        returns = launcher.launch([job.overrides for job in waiting], initial_job_idx=0) if waiting else []
    finally:
        unfinished = show_table(plan.jobs, plan.skipped, Path(config.hydra.sweep.dir))
    if unfinished or any(ended.status == JobStatus.FAILED for ended in returns):
        raise JobFailedError(CRASH)
