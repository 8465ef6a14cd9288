"""Ctrl-C and SIGTERM as a wish to stop that training can grant at a moment of its choice."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


class StopSignals:
    """Remembers the first SIGINT or SIGTERM. The second one acts as if nobody were listening.

    Lightning's own answers do not allow an exact resume: Ctrl-C raises anywhere in a step, with half of it done, and
    SIGTERM stops between two accumulated batches, whose gradients are lost.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._process = 0
        self._former: dict[signal.Signals, object] = {}

    def listen(self) -> None:
        """Only a program's main thread may do so; in others nothing happens."""
        self._process = os.getpid()
        if threading.current_thread() is threading.main_thread() and not self._former:
            self._former = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}

    def forget(self) -> None:
        """Gives the signals back to whoever had them before `listen`."""
        for number, handler in self._former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._former = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a data loader's worker, which has to go on until its trainer has stopped
            return
        self.received = signal.Signals(number)
        self.forget()
        # Not print: the signal may have come in the middle of one, and printing cannot be nested.
        os.write(2, b"\nStopping as soon as a checkpoint is written; once more stops at once, without it.\n")
