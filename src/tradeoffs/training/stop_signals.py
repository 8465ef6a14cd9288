"""Ctrl-C and SIGTERM as a wish to stop that a long work can grant at a moment of its choice."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

REQUEUE = getattr(signal, "SIGUSR2", None)  # Windows has none


class StopSignals:
    """Remembers the first SIGINT or SIGTERM. The second one acts as if nobody were listening.

    `after` says, in words, what is still done after the first.

    Lightning's own answers do not allow an exact resume: Ctrl-C raises anywhere in a step, with half of it done, and
    SIGTERM stops between two accumulated batches, whose gradients are lost.

    Where somebody answers SIGUSR2, as submitit does by putting its job into SLURM's queue again, that is a wish to stop
    as well, and `requeue` gives that answer. SIGTERM then only asks for a checkpoint: SLURM says with it that it is
    about to end the job, and queues again only what still runs when it does.
    """

    def __init__(self, after: str = "as soon as a checkpoint is written") -> None:
        self._after = after
        self.received: signal.Signals | None = None
        self.wants_checkpoint = False
        self._queued = False
        self._process = 0
        self._former: dict[signal.Signals, object] = {}

    def listen(self) -> None:
        """Only a program's main thread may do so; in others nothing happens."""
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread() and not self._former:
            self._queued = REQUEUE is not None and callable(signal.getsignal(REQUEUE))
            numbers = (signal.SIGINT, signal.SIGTERM, *([REQUEUE] if self._queued else []))
            self._former = {number: signal.signal(number, self._note) for number in numbers}

    def forget(self) -> None:
        """Gives the signals back to whoever had them before `listen`."""
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._former = {}

    def requeue(self) -> None:
        """Puts the job into its queue again, if it came from one. This ends the first of its processes.

        Even if that one has received nothing: another one has, and all stop together.
        """
        self.forget()
        if self._queued and self.received != signal.SIGINT:
            # SLURM sends it at once, and Lightning would answer by talking to processes that are ending, too.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.raise_signal(REQUEUE)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a data loader's worker, which has to go on until its trainer has stopped
            return
        self.wants_checkpoint = True
        # Not print: the signal may have come in the middle of one, and printing cannot be nested.
        if self._queued and number == signal.SIGTERM:
            os.write(2, b"\nSIGTERM: writing a checkpoint, and going on until the job is ended.\n")
            return
        self.received = signal.Signals(number)
        if self._queued:
            os.write(2, f"\nStopping {self._after}.\n".encode())
            return
        self.forget()
        os.write(2, f"\nStopping {self._after}; once more stops at once, without waiting for that.\n".encode())
