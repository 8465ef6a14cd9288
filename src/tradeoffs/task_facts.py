"""What a task says of itself in conf/task/NAME.yaml, besides its settings: nothing that somebody could choose.

Tables, figures and questions take their columns from here, and data what a sample holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple

import yaml

from tradeoffs.errors import UserError
from tradeoffs.files import CONF

ANNOTATIONS = ("boxes", "masks", "keypoints", "label", "main_box", "label_map", "person")
KEYS = ("annotations", "usual", "scores")
TRUTH = "truth"  # task.person_boxes: people are looked at in annotated boxes


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
    return {file.stem: read(file.stem, yaml.safe_load(file.read_text(encoding="utf-8"))) for file in files}


def read(name: str, content: dict) -> TaskFacts:
    """Of a task's file; its scores are `name: title`, or `name: {title: ..., unit: ..., better: low}`."""
    try:
        facts = TaskFacts(
            tuple(content["annotations"]),
            content.get("usual") or {},
            {
                score: Score(said) if isinstance(said, str) else Score(**said)
                for score, said in content["scores"].items()
            },
        )
    except (KeyError, TypeError, AttributeError) as fault:
        raise UserError(f"conf/task/{name}.yaml: {fault}; see docs/adding-a-task.md") from None
    if fault := fault_of(name, content, facts):
        raise UserError(f"conf/task/{name}.yaml: {fault}")
    return facts


def fault_of(name: str, content: dict, facts: TaskFacts) -> str | None:
    if content.get("name") != name:
        return f"its name is {content.get('name')}; call it as the file, {name}"
    if unknown := [each for each in facts.annotations if each not in ANNOTATIONS]:
        return f"annotations has {unknown[0]}; there are {', '.join(ANNOTATIONS)}"
    if odd := [score for score in facts.scores if not (isinstance(score, str) and score.isidentifier())]:
        return f"it has a score called {odd[0]}; give a word, in quotes where YAML takes it for something else"
    if odd := [score for score, said in facts.scores.items() if said.better not in ("high", "low")]:
        return f"{odd[0]} is better {facts.scores[odd[0]].better}; give high or low"
    headline = content.get("headline")
    if headline not in facts.scores or facts.scores[headline].better == "low":
        return f"its headline is {headline}; give one of its scores of which more is better"
    return None


def facts_of(task: str) -> TaskFacts:
    """Raises UserError for a task without a file."""
    if task not in all_tasks():
        raise UserError(f"task={task} is unknown; choose: {', '.join(all_tasks())}")
    return all_tasks()[task]


def annotations_of(task: str | None) -> tuple[str, ...]:
    """None for a task of elsewhere."""
    return all_tasks()[task].annotations if task in all_tasks() else ()


def annotations_in(config: Mapping) -> tuple[str, ...]:
    """Of a run's settings: those that the model asks for, else the task's."""
    model, task = (config.get(part) or {} for part in ("model", "task"))
    return tuple(model.get("annotations") or annotations_of(task.get("name")))


def labels_images(task: str | None) -> bool:
    """Whether a task gives each image a class, instead of finding objects. A task of elsewhere is not known to."""
    return "label" in annotations_of(task)


def scores_of(task: str) -> dict[str, Score]:
    """None for a task of elsewhere, whose records may be read all the same."""
    return all_tasks()[task].scores if task in all_tasks() else {}


def first_two(task: str) -> list[str]:
    """The scores of a task that stand in every table."""
    return list(scores_of(task))[:2]


@cache
def all_scores() -> dict[str, Score]:
    """Of all tasks, that of detection first. Raises UserError for one name that means two things: it is one column."""
    found: dict[str, Score] = {}
    for task in sorted(all_tasks(), key=lambda task: task != "detection"):
        for name, score in all_tasks()[task].scores.items():
            if found.setdefault(name, score) != score:
                raise UserError(f"conf/task/{task}.yaml: {name} is another score elsewhere; give it another name")
    return found


def headline_of(task: str) -> str | None:
    """The score by which runs of a task are compared unless somebody chooses another."""
    return next(iter(scores_of(task)), None)
