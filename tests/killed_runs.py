"""The train command in a process of its own, which ends without any farewell."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from forked import processes
from pytorch_lightning import Callback, Trainer
from small_runs import words


class KillSelf(Callback):
    """Kills the process at the end of batch `batch`, counted from 1 over all epochs."""

    def __init__(self, batch: int):
        self.batch = batch

    def on_train_batch_end(self, trainer: Trainer, *_) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            os.kill(os.getpid(), signal.SIGKILL)


def run_until_killed(data: Path, folder: Path, moment: int | str, *changes: str) -> None:
    """Starts a small run as the command line does; returns when it was killed.

    The moment is a batch, and then before that had a checkpoint, or the name of a stage that has just done its work.
    """
    process = processes.Process(target=_start, args=(words(data, folder, *changes), moment))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def _start(arguments: list[str], moment: int | str) -> None:
    from threads import use_test_threads

    from tradeoffs.commands import launch, train
    from tradeoffs.training import stages

    use_test_threads()
    if isinstance(moment, int):
        build = train.build_callbacks
        train.build_callbacks = lambda *settings: [*build(*settings), KillSelf(moment)]
    else:
        stages.run = partial(_run_stage, stages.run, moment)
    sys.argv = ["train.py", *arguments]
    launch.launch("train", "tradeoffs.commands.train:train")


def _run_stage(work: Callable, last: str, fit: Callable, task: object, batches: object) -> float:
    """Before the stage has a checkpoint."""
    seconds = work(fit, task, batches)
    if batches.what == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return seconds
