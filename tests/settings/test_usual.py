"""What a task chooses by itself, and which views of images it refuses."""

import pytest

from tradeoffs.errors import UserError
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check
from tradeoffs.settings.usual import with_usual
from tradeoffs.sweeps.grid_jobs import jobs


def test_a_task_chooses_what_nobody_said():
    assert with_usual(["model=ssd"]) == ["model=ssd"]
    words = with_usual(["task=classification", "image_size=64"])
    assert words[:2] == ["task=classification", "image_size=64"]
    assert "model=classifier" in words and "image_size=224" not in words
    assert with_usual(["task=classification", "experiment=demo"]) == ["task=classification", "experiment=demo"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["resize=centre"], "resize=centre cuts objects away"),
        (["task=localization", "resize=centre"], "resize=centre"),
        (["task=localization", "augmentation=auto", "epochs=50"], "may cut the main object away"),
        (["augmentation=crop", "augmentation.strength=9"], "moves pixels alone, not what is known of them"),
        (["task=classification", "task.headline=calibration_error"], "task.headline is one of top1, top5, class_mean"),
        (["task=classification", "model=ssd"], "for task=classification choose: classifier, timm_classifier"),
    ],
)
def test_views_that_would_make_boxes_wrong_are_refused(words, line):
    with pytest.raises(UserError, match=line):
        check(compose("train", words))


def test_classifiers_may_be_cut_and_changed():
    check(compose("train", ["task=classification", "resize=centre", "augmentation.strength=9"]))


@pytest.mark.parametrize("models", ["keypoint_rcnn,simple_baseline", "choice(keypoint_rcnn,simple_baseline)"])
def test_each_model_of_a_sweep_has_what_is_usual_for_it(models):
    found = [{word for word in job if "=" in word} for job in jobs("train", ["task=pose", f"model={models}"])]
    assert {"model=keypoint_rcnn", "augmentation=flip", "image_size=300"} <= found[0]
    assert {"model=simple_baseline", "augmentation=person", "image_size=256"} <= found[1]
