"""One job of a sweep: a plain single run in a process of its own.

The process is forked from one that has imported torch and nothing else, so a job starts at once. It is the leader of
its own session, with a log in the run's folder, and ends when the sweep does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal, NamedTuple

from omegaconf import DictConfig

from tradeoffs.errors import BusyError, MismatchError
from tradeoffs.sweeps.failures import described, record_failure
from tradeoffs.sweeps.plan import Job
from tradeoffs.sweeps.slots import Slot

LOG = "log.txt"
METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"  # Windows
PRELOADED = ["tradeoffs.sweeps.fork_server", "tradeoffs.commands.train", "timm", "torchvision"]
FailureHook = Callable[[DictConfig, BaseException], None]
Command = Callable[[FailureHook], None]  # what a job does, by the command line of its process
GRACE = 120.0  # seconds in which a job that is told to stop may write its checkpoint


class Outcome(NamedTuple):
    """How a job ended. `busy` says that another process trains in the same folder."""

    status: Literal["finished", "failed", "skipped", "busy", "stopped"]
    error: str | None = None


class JobProcess:
    """A job while it runs in `slot`."""

    def __init__(self, job: Job, slot: Slot, script: Path, command: Command):
        self.job, self.slot = job, slot
        self.began = time.monotonic()
        processes = multiprocessing.get_context(METHOD)
        processes.set_forkserver_preload(PRELOADED)
        self._answer, sender = processes.Pipe(duplex=False)
        arguments = (command, [str(script), *job.overrides], job.folder, slot, sender)
        self._process = processes.Process(target=run_job, args=arguments)
        self._process.start()
        sender.close()

    @property
    def sentinel(self) -> int:
        """Something for `multiprocessing.connection.wait`: ready when the job has ended."""
        return self._process.sentinel

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by then."""
        self._process.join(seconds)
        return not self.is_alive

    def outcome(self) -> Outcome:
        """Of a job that has ended. One that failed is recorded."""
        self._process.join()
        kill_session(self._process.pid)  # what a killed job may have left running
        try:
            outcome = self._answer.recv()
        except EOFError:
            outcome = Outcome("failed", f"{how_it_ended(self._process.exitcode)}; see {self.job.folder / LOG}")
        if outcome.status == "failed":
            record_failure(self.job.config, outcome.error)
        return outcome

    def ask_to_stop(self) -> None:
        """It writes a checkpoint first, after the step at which it is."""
        self._process.terminate()

    def kill(self) -> None:
        kill_session(self._process.pid)
        self._process.kill()


def how_it_ended(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    name = signal.Signals(-code).name
    reasons = ", because memory ran out or another process of the run failed" if name == "SIGKILL" else ""
    return f"killed by {name}{reasons}"


def run_job(command: Command, words: list[str], folder: Path, slot: Slot, answer: Connection) -> None:
    """The process from its beginning to its end. `words` is the command line of the run."""
    lead_session()
    follow_parent()
    write_into(folder)
    slot.take()
    ended = Outcome("failed", f"see {folder / LOG}")

    def failed(config: DictConfig, error: BaseException) -> None:
        nonlocal ended
        ended = outcome_of(error)

    sys.argv = words
    try:
        command(failed)
        ended = Outcome("finished")
    finally:
        if ended.status == "skipped":
            forget(folder)
        answer.send(ended)


def outcome_of(error: BaseException) -> Outcome:
    if not isinstance(error, Exception):
        return Outcome("stopped")
    status = {MismatchError: "skipped", BusyError: "busy"}.get(type(error), "failed")
    return Outcome(status, described(error))


def write_into(folder: Path) -> None:
    """Makes stdout and stderr the log of the run, after what an earlier try left there."""
    folder.mkdir(parents=True, exist_ok=True)
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def forget(folder: Path) -> None:
    """Takes away a folder in which there is nothing but the log."""
    if [path.name for path in folder.iterdir()] == [LOG]:
        with suppress(OSError):  # another sweep may do the same
            (folder / LOG).unlink()
            folder.rmdir()


def lead_session() -> None:
    """Ctrl-C then reaches the sweep alone, which asks its jobs to stop; and a job can be killed with all it started."""
    if hasattr(os, "setsid"):
        os.setsid()


def follow_parent() -> None:
    """Stops this process when that of the sweep is gone, however it went."""
    threading.Thread(target=_stop_after_parent, daemon=True).start()


def _stop_after_parent() -> None:
    wait([multiprocessing.parent_process().sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    kill_session(os.getpid())


def kill_session(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError, AttributeError):  # nobody is left; Windows knows no groups
        os.killpg(leader, signal.SIGKILL)
