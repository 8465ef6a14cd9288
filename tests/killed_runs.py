"""The train command in a process of its own, which ends without any farewell."""

from __future__ import annotations

import os
import signal
import sys
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


def run_until_killed(data: Path, folder: Path, batch: int, *changes: str) -> None:
    """Starts a small run as the command line does; returns when it was killed, before that batch had a checkpoint."""
    process = processes.Process(target=_start, args=(words(data, folder, *changes), batch))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL


def _start(arguments: list[str], batch: int) -> None:
    from threads import use_test_threads

    from tradeoffs.commands import launch, train

    use_test_threads()
    build = train.build_callbacks
    train.build_callbacks = lambda *settings: [*build(*settings), KillSelf(batch)]
    sys.argv = ["train.py", *arguments]
    launch.launch("train", "tradeoffs.commands.train:train")
