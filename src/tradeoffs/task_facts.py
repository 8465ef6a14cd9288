"""What a task says of itself in conf/task/NAME.yaml, besides its settings: nothing that somebody could choose.

Tables, figures and questions take their columns from here, and data what a sample holds.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import yaml

from tradeoffs.errors import UserError
from tradeoffs.files import CONF

KEYS = ("annotations", "usual", "scores")


class Score(NamedTuple):
    """The first two of a task stand in every table of its runs."""

    title: str
    unit: str = ""
    better: Literal["high", "low"] = "high"


class TaskFacts(NamedTuple):
    annotations: tuple[str, ...]  # that it learns from, see data.samples.Samples
    usual: dict[str, object]  # settings that task=NAME alone chooses
    scores: dict[str, Score]  # in the file's order; the first is the headline, unless somebody chooses another


@cache
def all_tasks() -> dict[str, TaskFacts]:
    """By name."""
    files = sorted((CONF / "task").glob("*.yaml"))
    contents = {file.stem: yaml.safe_load(file.read_text(encoding="utf-8")) for file in files}
    return {
        name: TaskFacts(tuple(content["annotations"]), content.get("usual") or {}, read(content["scores"]))
        for name, content in contents.items()
    }


def read(scores: dict[str, str | dict[str, str]]) -> dict[str, Score]:
    """Of `name: title`, or `name: {title: ..., unit: ..., better: low}`."""
    return {name: Score(said) if isinstance(said, str) else Score(**said) for name, said in scores.items()}


def facts_of(task: str) -> TaskFacts:
    """Raises UserError for a task without a file."""
    if task not in all_tasks():
        raise UserError(f"task={task} is unknown; choose: {', '.join(all_tasks())}")
    return all_tasks()[task]


def scores_of(task: str) -> dict[str, Score]:
    """None for a task of elsewhere, whose records may be read all the same."""
    return all_tasks()[task].scores if task in all_tasks() else {}


@cache
def all_scores() -> dict[str, Score]:
    """Of all tasks, that of detection first; where several have a name, the first one's."""
    tasks = sorted(all_tasks(), key=lambda task: task != "detection")
    pairs = [pair for task in tasks for pair in all_tasks()[task].scores.items()]
    first = dict(reversed(pairs))
    return {name: first[name] for name, _ in pairs}


def headline_of(task: str) -> str | None:
    """The score by which runs of a task are compared unless somebody chooses another."""
    return next(iter(scores_of(task)), None)
