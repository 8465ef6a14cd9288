"""How far a long command is: a bar in a terminal, a line now and then in a log file."""

from __future__ import annotations

import math
import sys
import time

from tqdm import tqdm

BAR = "{desc} {bar:20} {n_fmt}/{total_fmt} [{elapsed}]"
QUIET_SECONDS = 20.0  # at most, between two lines where there is no terminal


class Steps:
    """Stages one after another, each with a number of steps."""

    def __init__(self):
        self._live = sys.stdout.isatty()
        self._bar: tqdm | None = None
        self._what, self._done, self._total, self._shown_at = "", 0, 0, 0.0

    def begin(self, what: str, total: int) -> None:
        self.end()
        self._what, self._done, self._total, self._shown_at = what, 0, total, time.monotonic()
        if self._live:
            self._bar = tqdm(desc=what, total=total, leave=False, file=sys.stdout, bar_format=BAR)
        else:
            print(what)

    def step(self) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.update()
        elif time.monotonic() - self._shown_at > QUIET_SECONDS:
            print(f"{self._what}  {self._done}/{self._total}")
            self._shown_at = time.monotonic()

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def models(count: int) -> str:
    """Such as `1 model` or `4 models`."""
    return f"{count} model{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Such as `40 s` or `12 min`, rounded up."""
    return f"{math.ceil(seconds)} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"
