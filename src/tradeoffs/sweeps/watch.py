"""How far a run is, read off its metrics.csv, and how long it will take."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from heapq import heapify, heapreplace
from math import isfinite
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from tradeoffs.sweeps.plan import Job


class Seen(NamedTuple):
    """The last step that a run has logged; `part` of its training is done, None where that is not known yet."""

    epoch: int  # from 1
    epochs: int
    loss: float
    score: float | None  # of the last validation
    part: float | None
    headline: str  # the name of that score

    def __str__(self) -> str:
        score = "" if self.score is None else f" {self.headline} {self.score:.3f}"
        return f"epoch {self.epoch}/{self.epochs} loss {self.loss:.3g}{score}"


def look_at(job: Job) -> Seen | None:
    """None before the first step."""
    rows = read_rows(job.folder / "metrics.csv")
    steps = [row for row in rows if row.get("loss")]
    if not steps:
        return None
    headline = job.config.task.headline
    scores = [float(row[f"val/{headline}"]) for row in rows if row.get(f"val/{headline}")]
    last, planned = steps[-1], float(steps[-1].get("planned_steps") or "nan")
    part = (int(last["step"]) + 1) / planned if isfinite(planned) else None
    score = scores[-1] if scores else None
    return Seen(int(last["epoch"]) + 1, job.config.epochs, float(last["loss"]), score, part, headline)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Less a row that is being written."""
    try:
        with path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if None not in row.values()]
    except OSError:
        return []


class Pace:
    """Of one run in one process, which may go on where an earlier one stopped."""

    def __init__(self, job: Job):
        self.job, self.seen = job, look_at(job)
        self.part = (self.seen and self.seen.part) or 0.0  # of the training
        self.start = self.part  # where this one began
        self.seconds = self.began = 0.0  # on the clock of the process, of the last look and where `start` was

    def look(self, seconds: float) -> None:
        self.seen = look_at(self.job)
        self.part = (self.seen and self.seen.part) or 0.0
        self.seconds = seconds
        if self.part < self.start:  # it has begun anew
            self.start, self.began = self.part, seconds

    @property
    def whole(self) -> float | None:
        """Seconds of the whole run, if it goes on as it went; None before anything can be said."""
        done = self.part - self.start
        return (self.seconds - self.began) / done if done > 0 else None

    @property
    def left(self) -> float | None:
        return None if self.whole is None else self.whole * (1 - self.part)


def expected(job: Job, known: Sequence[tuple[Job, float]]) -> float | None:
    """Seconds that a run will take, by those that are most like it; None where nothing is known."""
    for likeness in LIKENESSES:
        alike = [seconds * work(job) / work(other) for other, seconds in known if likeness(other) == likeness(job)]
        if alike:
            return mean(alike)
    return None


def work(job: Job) -> float:
    """What the time of like models is proportional to, roughly."""
    return max(job.config.epochs, 1) * job.config.image_size**2


def part_of(job: Job, group: str) -> str:
    part: Mapping = job.config.get(group) or {}
    return f"{part.get('_target_')} {part.get('name', '')}"


LIKENESSES = (
    lambda job: (part_of(job, "model"), part_of(job, "backbone"), job.config.image_size),
    lambda job: (part_of(job, "model"), part_of(job, "backbone")),
    lambda job: part_of(job, "model"),
    lambda job: part_of(job, "backbone"),
    lambda job: None,
)


def time_left(running: Sequence[float], waiting: Sequence[float]) -> float:
    """Seconds until all have ended, where one that waits begins as soon as one that runs ends."""
    ends = list(running)
    heapify(ends)
    for seconds in waiting:
        heapreplace(ends, ends[0] + seconds)
    return max(ends)
