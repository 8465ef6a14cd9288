"""Runs the jobs of a sweep, several at once, each in a process of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from pathlib import Path

from filelock import Timeout

from tradeoffs.runs.lock import lock_of
from tradeoffs.sweeps.overview import Overview
from tradeoffs.sweeps.plan import Job, done_record
from tradeoffs.sweeps.process import GRACE, Command, JobProcess, Outcome
from tradeoffs.sweeps.slots import Slot

TICK = 1.0  # seconds between two looks at what the jobs do


def run_jobs(
    jobs: Sequence[Job], slots: Sequence[Slot], script: Path, command: Command, overview: Overview
) -> list[Outcome]:
    """One job for each slot at a time; returns how each ended.

    A run that another process trains is left to it, and looked at again later. On Ctrl-C and SIGTERM the jobs that
    run write their checkpoints, and the exception goes on.
    """
    outcomes: dict[Path, Outcome] = {}
    waiting, free = list(jobs), list(slots)
    running: list[JobProcess] = []
    with sigterm_raised(), stopped_together(running):
        while waiting or running:
            for job in startable(waiting, len(free)):
                waiting.remove(job)
                if done_record(job):  # by another sweep, in the meantime
                    outcomes[job.folder] = Outcome("finished")
                else:
                    running.append(JobProcess(job, free.pop(0), script, command))
            overview.show(jobs, outcomes, running)
            wait([process.sentinel for process in running], timeout=TICK)
            for process in [process for process in running if not process.is_alive]:
                running.remove(process)
                free.append(process.slot)
                outcome = process.outcome()
                if outcome.status == "busy":
                    waiting.append(process.job)
                    continue
                outcomes[process.job.folder] = outcome
                overview.ended(process, outcome)
    return [outcomes[job.folder] for job in jobs]


def startable(waiting: Sequence[Job], most: int) -> list[Job]:
    """The first ones whose runs nobody else trains."""
    found: list[Job] = []
    for job in waiting:
        if len(found) == most:
            break
        if not is_busy(job):
            found.append(job)
    return found


def is_busy(job: Job) -> bool:
    try:
        with lock_of(job.folder).acquire(timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def sigterm_raised() -> Iterator[None]:
    """Makes SIGTERM an exception, as Ctrl-C is one."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopped_together(running: list[JobProcess]) -> Iterator[None]:
    """Leaves no job running: whatever happens, each is asked to stop, and killed if it does not."""
    try:
        yield
    except BaseException:
        for process in running:
            process.ask_to_stop()
        until = time.monotonic() + GRACE
        try:
            for process in running:
                process.wait(max(0.0, until - time.monotonic()))
        finally:  # even if whoever waits loses patience
            for process in running:
                process.kill()
        raise
