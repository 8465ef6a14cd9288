"""Jobs of a sweep on this machine."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from tradeoffs.apps.sweep.overview import Overview
from tradeoffs.apps.sweep.plan import read_job
from tradeoffs.apps.sweep.pool import run_jobs
from tradeoffs.apps.sweep.process import Outcome
from tradeoffs.apps.sweep.share import divide


def launch_here(
    config_name: str, job_overrides: Sequence[Sequence[str]], at_once: int | str, conf: Path
) -> list[Outcome]:
    """Runs all jobs, `at_once` of them at a time. Raises UserError where this machine has too little for that."""
    jobs = [read_job(config_name, tuple(overrides), conf) for overrides in job_overrides]
    shares = divide(jobs, at_once)
    overview = Overview(len(jobs))
    try:
        return run_jobs(jobs, shares, Path(sys.argv[0]).resolve(), overview)
    finally:
        overview.close()
