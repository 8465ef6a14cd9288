"""What `task=NAME` alone chooses: a model, views of the images and a size that suit the task."""

from __future__ import annotations

from collections.abc import Sequence

from tradeoffs.model_facts import usual_of
from tradeoffs.task_facts import all_tasks

OTHERS_CHOOSE = ("experiment", "weights")  # and what they choose is not to be replaced


def with_usual(overrides: Sequence[str]) -> list[str]:
    """The overrides, and what is usual for the task and model that they name, unless they say something else."""
    given = {text.partition("=")[0].lstrip("+~"): text.partition("=")[2] for text in overrides}
    if any(key in given for key in OTHERS_CHOOSE):
        return list(overrides)
    of_task = all_tasks()[given["task"]].usual if given.get("task") in all_tasks() else {}
    usual = of_task | usual_of(given.get("model"))
    return [*overrides, *(f"{key}={value}" for key, value in usual.items() if key not in given)]
