"""Jobs of a sweep on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tradeoffs.sweeps.overview import Overview
from tradeoffs.sweeps.plan import read_job
from tradeoffs.sweeps.pool import run_jobs
from tradeoffs.sweeps.process import Command, Outcome
from tradeoffs.sweeps.slots import divide


def launch_here(
    config_name: str, job_overrides: Sequence[Sequence[str]], at_once: int | str, conf: Path, command: Command
) -> list[Outcome]:
    """Runs `command` for all jobs, `at_once` at a time. Raises UserError where this machine has too little for that."""
    jobs = [read_job(config_name, tuple(overrides), conf) for overrides in job_overrides]
    slots = divide(jobs, at_once)
    overview = Overview(len(jobs))
    try:
        return run_jobs(jobs, slots, Path(sys.argv[0]).resolve(), command, overview)
    finally:
        overview.close()
