"""What a task may say of itself."""

import pytest

from tradeoffs import task_facts
from tradeoffs.errors import UserError
from tradeoffs.model_facts import points_of
from tradeoffs.task_facts import Score, TaskFacts, all_scores, read

TOY = {"name": "toy", "annotations": ["boxes"], "headline": "exact", "scores": {"exact": "exact"}}


@pytest.mark.parametrize("name", [False, 50, "within one"])
def test_a_score_is_called_by_a_word(name):
    """YAML takes `off:` for False."""
    with pytest.raises(UserError, match=rf"toy\.yaml: it has a score called {name}; give a word"):
        read("toy", {**TOY, "scores": {**TOY["scores"], name: "something"}})
    assert read("toy", TOY).scores == {"exact": Score("exact")}


def test_a_name_means_one_thing(monkeypatch):
    """It is one column, which must not change its direction with the task that was read first."""
    tasks = {
        name: TaskFacts((), {}, {"mean_iou": Score("mean IoU", better=better)})
        for name, better in (("a", "high"), ("b", "low"))
    }
    monkeypatch.setattr(task_facts, "all_tasks", lambda: tasks)
    all_scores.cache_clear()
    with pytest.raises(UserError, match=r"conf/task/b\.yaml: mean_iou is another score elsewhere"):
        all_scores()
    monkeypatch.undo()
    assert all_scores()["mean_iou"].better == "high"


def test_operating_points_are_those_of_the_models():
    assert points_of(["ssd", "faster_rcnn", "of elsewhere"]) == {"num_proposals"} and points_of(["hourglass"]) == set()
