"""Scores of label maps, against values by hand and against torchmetrics."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.classification import MulticlassAccuracy, MulticlassJaccardIndex

from tradeoffs.errors import UserError
from tradeoffs.metrics.class_pixels import ClassPixels
from tradeoffs.metrics.evidence import evidence_file, load_evidence, save_evidence
from tradeoffs.metrics.mistakes import mistakes
from tradeoffs.metrics.segmentation import SegmentationMetric
from tradeoffs.structures import IGNORED

TRUTH = {
    7: np.array([[0, 0, 1, 1], [0, 0, 1, IGNORED]], np.uint8),
    9: np.array([[2, 2, 2, 2]], np.uint8),
}
FOUND = {
    7: np.array([[0, 1, 1, 1], [0, 0, 0, 1]], np.uint8),
    9: np.array([[2, 2, 0, 0]], np.uint8),
}


def metric_of(truth: dict, found: dict, classes: int = 3, **options) -> SegmentationMetric:
    metric = SegmentationMetric(
        truth.__getitem__, [f"c{i}" for i in range(classes)], range(10, 10 + classes), **options
    )
    metric.update(np.array(list(found)), list(found.values()))
    return metric


def test_by_hand():
    """Class 0: 3 of 4 true ones right, 6 predicted. Class 1: 2 of 3, 3 predicted. Class 2: 2 of 4, 2 predicted."""
    scores = metric_of(TRUTH, FOUND).compute()
    ious, accuracies = [3 / 7, 2 / 4, 2 / 4], [3 / 4, 2 / 3, 2 / 4]
    assert scores.summary == pytest.approx(
        {
            "mean_iou": np.mean(ious),
            "pixel_accuracy": 7 / 11,
            "mean_accuracy": np.mean(accuracies),
            "frequency_iou": (4 * ious[0] + 3 * ious[1] + 4 * ious[2]) / 11,
        }
    )
    assert [row["IoU"] for row in scores.per_class] == pytest.approx(ious)
    assert [row["pixels"] for row in scores.per_class] == [4, 3, 4] and scores.num_images == 2


def test_classes_that_are_not_there():
    """What is predicted but never true has an IoU of 0, and no accuracy; what is neither stands in no mean."""
    truth, found = {1: np.zeros((2, 2), np.uint8)}, {1: np.array([[0, 0], [0, 1]], np.uint8)}
    scores = metric_of(truth, found)
    assert scores.compute().summary == pytest.approx(
        {"mean_iou": (3 / 4 + 0) / 2, "pixel_accuracy": 3 / 4, "mean_accuracy": 3 / 4, "frequency_iou": 3 / 4}
    )
    assert [(row["IoU"], row["accuracy"]) for row in scores.compute().per_class] == [
        (0.75, 0.75),
        (0.0, None),
        (None, None),
    ]


def test_background_may_stand_in_no_mean():
    """But a mistake remains one: pixels of objects that are taken for it, and the other way round."""
    scores = metric_of(TRUTH, FOUND, background=0, count_background=False).compute().summary
    assert scores == pytest.approx(
        {"mean_iou": 1 / 2, "pixel_accuracy": 4 / 7, "mean_accuracy": (2 / 3 + 1 / 2) / 2, "frequency_iou": 1 / 2}
    )


def test_as_torchmetrics_has_it():
    rng = np.random.default_rng(0)
    truth = {i: rng.choice([0, 1, 2, 3, IGNORED], (20 + i, 30)).astype(np.uint8) for i in range(4)}
    found = {
        i: np.where(rng.random(each.shape) < 0.6, each % 4, rng.integers(0, 4, each.shape)).astype(np.uint8)
        for i, each in truth.items()
    }
    ours = metric_of(truth, found, 4).compute()
    flat = [
        torch.from_numpy(np.concatenate([each.ravel() for each in part.values()])).long() for part in (found, truth)
    ]
    assert ours.summary["mean_iou"] == pytest.approx(MulticlassJaccardIndex(4, ignore_index=IGNORED)(*flat).item())
    for name, average in (("mean_accuracy", "macro"), ("pixel_accuracy", "micro")):
        assert ours.summary[name] == pytest.approx(
            MulticlassAccuracy(4, average=average, ignore_index=IGNORED)(*flat).item()
        )


def test_evidence_scores_any_selection_and_is_kept(tmp_path: Path):
    metric = metric_of(TRUTH, FOUND)
    evidence = metric.evidence()
    assert evidence.score() == metric.compute().summary
    alone = metric_of({9: TRUTH[9]}, {9: FOUND[9]}).compute().summary
    assert evidence.score(np.array([0.0, 1.0])) == pytest.approx(alone)
    twice = metric_of({1: TRUTH[9], 2: TRUTH[9]}, {1: FOUND[9], 2: FOUND[9]}).compute().summary
    assert evidence.score(np.array([0.0, 2.0])) == pytest.approx(twice)
    save_evidence(evidence, tmp_path)
    again = load_evidence(evidence_file(tmp_path))
    assert again.score() == evidence.score() and again.has_truth_of(evidence)
    assert not again.has_truth_of(metric_of({7: TRUTH[7], 9: TRUTH[9] * 0}, FOUND).evidence())
    wrong = mistakes(evidence)
    assert wrong.words(7) == "28.6 % of pixels wrong" and wrong.worst(1) == [9]
    (tmp_path / "pixels.npz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"pixels.npz cannot be read"):
        ClassPixels.load(tmp_path / "pixels.npz")


def test_an_image_that_comes_twice_counts_once():
    metric = metric_of(TRUTH, FOUND)
    before = metric.compute().summary
    metric.update(np.array([9]), [FOUND[9]])
    assert metric.compute().summary == before and len(metric.predictions()) == 4
    assert metric.confusion().tolist() == [[3, 1, 0], [1, 2, 0], [2, 0, 2]]


def test_nothing_to_score():
    with pytest.raises(UserError, match="no labelled pixel"):
        metric_of({1: np.full((2, 2), IGNORED, np.uint8)}, {1: np.zeros((2, 2), np.uint8)}).compute()


def test_maps_of_another_size_are_refused():
    with pytest.raises(ValueError, match="the label map is"):
        metric_of(TRUTH, {7: FOUND[7][:1]})


def test_predictions_are_masks_of_classes():
    from pycocotools import mask as rle

    found = metric_of(TRUTH, FOUND, background=1).predictions()
    assert [(each["image_id"], each["category_id"]) for each in found] == [(7, 10), (9, 10), (9, 12)]
    assert (rle.decode(found[0]["segmentation"]) == (FOUND[7] == 0)).all()
