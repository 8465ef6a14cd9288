"""Processes that tests start, forked from one that has imported torch: a start of their own would take ten seconds."""

import multiprocessing
from multiprocessing.forkserver import ForkServer

from tradeoffs.sweeps.process import PRELOADED

# Not forked from the tests' process: the metric's library keeps threads there, which a fork does not take along.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(PRELOADED)


def share_fork_server() -> None:
    """Lets this process, which was forked so, start others from the same server instead of from one of its own.

    They follow this process all the same, since they watch a pipe that it holds.
    """
    ForkServer.ensure_running = lambda server: None
