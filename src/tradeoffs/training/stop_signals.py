"""Ctrl-C and SIGTERM as a wish to stop that training can grant at a moment of its choice."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


REQUEUE = getattr(signal, "SIGUSR2", None)  # Windows has none


class StopSignals:
    """Remembers the first SIGINT or SIGTERM. The second one acts as if nobody were listening.

    Lightning's own answers do not allow an exact resume: Ctrl-C raises anywhere in a step, with half of it done, and
    SIGTERM stops between two accumulated batches, whose gradients are lost.

    Where somebody answers SIGUSR2, as submitit does to put its job into SLURM's queue again, that one is a wish to stop
    too, and granted by that answer. SIGTERM, once or several times, then only asks for a checkpoint: SLURM warns of a
    preemption with it, ends the job itself, and does not requeue one that has ended by then.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self.wants_checkpoint = False
        self._requeued = False
        self._process = 0
        self._former: dict[signal.Signals, object] = {}

    def listen(self) -> None:
        """Only a program's main thread may do so; in others nothing happens."""
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread() and not self._former:
            self._requeued = REQUEUE is not None and callable(signal.getsignal(REQUEUE))
            numbers = (signal.SIGINT, signal.SIGTERM, *([REQUEUE] if self._requeued else []))
            self._former = {number: signal.signal(number, self._note) for number in numbers}

    def forget(self) -> None:
        """Gives the signals back to whoever had them before `listen`."""
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._former = {}

    def requeue(self) -> None:
        """Has a job of a queue, unless Ctrl-C stopped it, put there again: this ends the first of its processes.

        That one may not have got the SIGUSR2 yet that made another one of them stop.
        """
        self.forget()
        if self._requeued and self.received != signal.SIGINT:
            signal.raise_signal(REQUEUE)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a data loader's worker, which has to go on until its trainer has stopped
            return
        self.wants_checkpoint = True
        # Not print: the signal may have come in the middle of one, and printing cannot be nested.
        if self._requeued and number == signal.SIGTERM:
            os.write(2, b"\nSIGTERM: writing a checkpoint, and going on until the scheduler ends this.\n")
            return
        self.received = signal.Signals(number)
        if not self._requeued:
            self.forget()
        os.write(2, b"\nStopping as soon as a checkpoint is written; once more stops at once, without it.\n")
