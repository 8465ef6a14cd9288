"""Processes that tests start, forked from one that has imported torch: a start of their own would take ten seconds."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from multiprocessing import Process
from multiprocessing.forkserver import ForkServer
from pathlib import Path

from tradeoffs.sweeps.process import PRELOADED

# Not forked from the tests' process: the metric's library keeps threads there, which a fork does not take along.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(PRELOADED)


def share_fork_server() -> None:
    """Lets this process, which was forked so, start others from the same server instead of from one of its own.

    They follow this process all the same, since they watch a pipe that it holds.
    """
    ForkServer.ensure_running = lambda server: None


def start_sweep(words: Sequence[str], runs: Path, own_server: bool = False) -> Process:
    """`train.py -m WORDS`; what it says goes into `runs`/said.txt.

    With `own_server` it forks its jobs as it does outside of tests, which takes ten seconds of importing torch.
    """
    process = processes.Process(target=_sweep, args=(words, runs, own_server))
    process.start()
    return process


def _sweep(words: Sequence[str], runs: Path, own_server: bool) -> None:
    if not own_server:
        share_fork_server()
    runs.mkdir(parents=True, exist_ok=True)
    said = os.open(runs / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    from tradeoffs.commands.launch import launch

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which what a shell starts in the background ignores
    sys.argv = [str(Path(__file__).parents[1] / "train.py"), "-m", *words]
    launch("train", "tradeoffs.commands.train:train", sweeps=True)
