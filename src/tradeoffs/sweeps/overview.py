"""How far a sweep is, and what came out: one line while it runs, a line for each job that ends, a table at the end."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from tradeoffs.results.columns import disturbed
from tradeoffs.results.doubt import hardly_trained
from tradeoffs.results.record import Record, record_or_none
from tradeoffs.sweeps.plan import Job, done_record
from tradeoffs.sweeps.watch import Pace, expected, time_left

if TYPE_CHECKING:
    from tradeoffs.sweeps.process import JobProcess, Outcome

BAR = "{desc} {bar:20} {n_fmt}/{total_fmt}{postfix}"
BAR_WIDTH = 40  # characters, of what stands before the text
QUIET_SECONDS = 60.0  # at most, between two lines where there is no terminal
LOOK_SECONDS = 2.0  # between two looks at how far the jobs are


class Overview:
    """Of `total` jobs."""

    def __init__(self, total: int):
        self.total = total
        self._paces: dict[Path, Pace] = {}  # of the running jobs
        self._known: list[tuple[Job, float]] = []  # seconds of each job that finished
        live = sys.stdout.isatty()
        self._bar = tqdm(total=total, file=sys.stdout, bar_format=BAR, leave=False) if live else None
        self._shown_at = self._looked_at = 0.0

    def show(self, jobs: Sequence[Job], outcomes: Mapping[Path, Outcome], running: Sequence[JobProcess]) -> None:
        """The one line."""
        now = time.monotonic()
        for process in running:
            self._paces.setdefault(process.job.folder, Pace(process.job))
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        for process in running:
            self._paces[process.job.folder].look(process.seconds)
        failed = Counter(outcome.status for outcome in outcomes.values())["failed"]
        begun = {process.job.folder for process in running}
        left = self.left([job for job in jobs if job.folder not in begun.union(outcomes)], running)
        what = "; ".join(f"{process.job.name} {self.stage(process)}" for process in running)
        counts = f"{len(running)} running{f', {failed} failed' if failed else ''}"
        text = f"{counts}{f', {tqdm.format_interval(left)} left' if left else ''}{f': {what}' if what else ''}"
        if self._bar is not None:
            self._bar.n = len(outcomes) - failed
            self._bar.set_postfix_str(text[: max(get_terminal_size().columns - BAR_WIDTH, 0)])
        elif now - self._shown_at > QUIET_SECONDS:
            print(f"{len(outcomes) - failed} of {self.total} jobs done, {text}")
            self._shown_at = now

    def stage(self, process: JobProcess) -> str:
        seen = self._paces[process.job.folder].seen
        after = ", is scored and timed" if process.job.config.measure else ", is scored"
        return "begins" if seen is None else f"{seen}{after if seen.part == 1 else ''}"

    def left(self, waiting: Sequence[Job], running: Sequence[JobProcess]) -> float | None:
        """Seconds, by those jobs that have ended and by how far the running ones are; None before anything is known."""
        paces = [self._paces[process.job.folder] for process in running]
        known = self._known + [(pace.job, pace.whole) for pace in paces if pace.whole is not None]
        begun = [pace.left if pace.left is not None else rest(expected(pace.job, known), pace) for pace in paces]
        later = [expected(job, known) for job in waiting]
        if not begun or None in begun + later:
            return None
        return time_left(begun, later)

    def ended(self, process: JobProcess, outcome: Outcome) -> None:
        """A line for a job, above the one line."""
        pace = self._paces.pop(process.job.folder, None)
        if outcome.status == "finished" and pace is not None and pace.start < 1:
            self._known.append((process.job, process.seconds / (1 - pace.start)))
        interval = tqdm.format_interval(process.seconds)
        what = outcome.error or result_line(record_or_none(process.job.folder / "result.json")) or outcome.status
        line = f"{process.job.name}: {'' if outcome.status == 'finished' else outcome.status + ': '}{what} ({interval})"
        tqdm.write(line, file=sys.stdout)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def rest(whole: float | None, pace: Pace) -> float | None:
    return None if whole is None else max(whole - pace.seconds, 0.0)


def result_line(record: Record | None) -> str:
    """Such as `mAP 0.312, 8.4 ms`, or why a run was stopped."""
    if record is None:
        return ""
    early = f"{record.status}: {record.error}" if record.error else ""
    score = headline_score(record)
    return ", ".join(filter(None, [early, score and f"{record.headline} {score}", milliseconds(record)]))


def headline_score(record: Record) -> str:
    """With a ? where that says little."""
    return "" if record.score is None else f"{record.score:.3f}{'?' if hardly_trained(record) else ''}"


def milliseconds(record: Record) -> str:
    """With a ! where it was disturbed."""
    clock = record.cost.get("batches", {}).get("1", {}).get("total_ms")
    return f"{clock['median']:.1f}{'!' if disturbed(record) else ''} ms" if clock else ""


def show_table(jobs: Sequence[Job], skipped: Mapping[str, str], folder: Path) -> int:
    """Prints what became of every job; returns how many are not finished."""
    table = Table(title=f"{folder}/", title_justify="left")
    headline = jobs[0].config.task.headline if jobs else "score"
    for title in ("run", "status", headline, "ms, batch 1", "minutes"):
        table.add_column(title, justify="left" if title in ("run", "status") else "right", overflow="fold")
    for job in jobs:
        table.add_row(*map(escape, [job.name, *cells(done_record(job) or failed_record(job))]))
    for words, reason in skipped.items():
        table.add_row(escape(words), escape(f"skipped: {reason}"))
    Console().print(table)
    for line in doubts(jobs):
        print(line)
    return sum(done_record(job) is None for job in jobs)


def next_steps(folder: Path, unfinished: int, overwrite: bool) -> Iterator[str]:
    """What to type to have the rest, and to see more."""
    if unfinished:
        without = ", without overwrite=true," if overwrite else ""
        yield f"not finished: {unfinished}; the same command{without} goes on with the rest"
    if next(folder.glob("*/result.json"), None) is not None:
        yield f"compare them:  python -m tradeoffs.results {shlex.quote(str(folder))}"
        yield f"in a browser:  python dashboard.py {shlex.quote(f'runs={folder}')}"


def doubts(jobs: Sequence[Job]) -> Iterator[str]:
    """What the marks behind numbers mean."""
    records = {job.name: record for job in jobs if (record := done_record(job))}
    if any(map(disturbed, records.values())):
        yield "! disturbed: do not rank by this time"
    if untrained := [f"{name}: {said}" for name, record in records.items() if (said := hardly_trained(record))]:
        yield f"? {untrained[0]}{f'; and {len(untrained) - 1} more' if untrained[1:] else ''}"


def failed_record(job: Job) -> Record | None:
    record = record_or_none(job.folder / "result.json")
    return record if record and record.status == "failed" else None


def cells(record: Record | None) -> list[str]:
    if record is None:
        return ["not done"]
    seconds = record.training.get("seconds")
    status = f"{record.status}: {record.error}" if record.error else record.status
    score, clock = headline_score(record), milliseconds(record).removesuffix(" ms")
    return [status, score, clock, f"{seconds / 60:.1f}" if seconds else ""]
