"""What each task is scored by: `scores` and `headline` of conf/task/NAME.yaml, which no setting changes.

Tables, figures and questions take their columns from here.
"""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

import yaml

from tradeoffs.files import CONF


class Score(NamedTuple):
    """The first two of a task stand in every table of its runs."""

    title: str
    unit: str = ""
    better: Literal["high", "low"] = "high"


@cache
def declared() -> dict[str, dict[str, Score]]:
    """By task and name, in the files' order."""
    files = sorted((CONF / "task").glob("*.yaml"))
    return {file.stem: read(yaml.safe_load(file.read_text(encoding="utf-8"))["scores"]) for file in files}


def read(scores: dict[str, str | dict[str, str]]) -> dict[str, Score]:
    """Of `name: title`, or `name: {title: ..., unit: ..., better: low}`."""
    return {name: Score(said) if isinstance(said, str) else Score(**said) for name, said in scores.items()}


@cache
def all_scores() -> dict[str, Score]:
    """Of all tasks; where several have a name, the first one's."""
    return {name: score for scores in reversed(declared().values()) for name, score in scores.items()}


@cache
def headline_of(task: str) -> str | None:
    """The score by which runs of a task are compared unless somebody chooses another; None for a task of elsewhere."""
    return next(iter(declared()[task])) if task in declared() else None
