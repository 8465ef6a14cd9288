"""The default launcher of `train.py -m`: jobs in processes of their own on this machine, several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from tradeoffs.sweeps.process import Outcome


class LocalLauncher(Launcher):
    """Gives each job GPUs of its own, or its share of the cores. `jobs` run at once."""

    def __init__(self, jobs: int | str = "auto"):
        self.jobs = jobs

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        from tradeoffs.commands.launch import launch_training  # not at the start of every command
        from tradeoffs.settings.overrides import main_folder
        from tradeoffs.sweeps.local import launch_here

        part = self.config.hydra
        outcomes = launch_here(part.job.config_name, job_overrides, self.jobs, main_folder(part), launch_training)
        return [job_return(job, outcome) for job, outcome in zip(job_overrides, outcomes, strict=True)]


def job_return(overrides: Sequence[str], outcome: Outcome) -> JobReturn:
    """Its value is the outcome, or an exception for Hydra's own sweepers to raise."""
    status = JobStatus.FAILED if outcome.status == "failed" else JobStatus.COMPLETED
    result = JobReturn(overrides, status=status)
    result.return_value = outcome if status == JobStatus.COMPLETED else RuntimeError(outcome.error)
    return result
