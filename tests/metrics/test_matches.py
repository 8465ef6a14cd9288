"""Average precision from saved matches against COCO's own evaluation."""

import contextlib
import copy
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tradeoffs.errors import UserError
from tradeoffs.metrics import official
from tradeoffs.metrics.curves import precision_lines
from tradeoffs.metrics.matches import Matches, at_recalls, matches_of

CLASS_IDS = [1, 2, 5]  # of 5 there is nothing


def random_case(seed: int, images: int = 12) -> tuple[dict, np.ndarray]:
    """Ground truth with crowds, and detections around it: some hit, some do not, many scores are equal."""
    rng = np.random.default_rng(seed)
    objects, rows = [], []
    for image in range(1, images + 1):
        for _ in range(rng.integers(0, 6)):
            box, category = [*rng.uniform(0, 80, 2), *rng.uniform(5, 60, 2)], int(rng.integers(1, 3))
            crowd = int(rng.random() < 0.15)
            objects.append({"image_id": image, "category_id": category, "bbox": box, "iscrowd": crowd})
            for _ in range(rng.integers(0, 4)):
                moved = np.array(box) + rng.normal(0, 4, 4)
                rows.append([image, *np.maximum(moved, 1), round(rng.random(), 1), int(rng.integers(1, 3))])
    truth = {
        "images": [{"id": image} for image in range(1, images + 1)],
        "annotations": objects,
        "categories": [{"id": each, "name": str(each)} for each in CLASS_IDS],
    }
    return official.boxes_only(truth), np.array(rows, float)


def evaluated(truth: dict, rows: np.ndarray):
    ids = np.array([image["id"] for image in truth["images"]])
    return official.evaluate(truth, rows, ids, CLASS_IDS)


@pytest.mark.parametrize("seed", range(5))
def test_all_images_give_the_official_scores(seed):
    evaluation = evaluated(*random_case(seed))
    precision = matches_of(evaluation).average_precision()
    summary = official.summary(evaluation)
    for name, value in {"mAP": precision, "AP50": precision[0], "AP75": precision[5]}.items():
        assert np.nanmean(value) == pytest.approx(summary[name], abs=1e-12)
    assert np.isnan(precision[:, 2]).all()


def pycocotools_of(truth: dict, rows: np.ndarray) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO()
        index.dataset = truth
        index.createIndex()
        evaluation = COCOeval(index, index.loadRes(rows), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


@pytest.mark.parametrize("seed", range(3))
def test_precision_is_that_of_pycocotools(seed):
    truth, rows = random_case(seed)
    theirs = pycocotools_of(truth, rows).eval["precision"][:, :, :, 0, -1]  # thresholds, recalls, classes
    ours = matches_of(evaluated(truth, rows)).precision_at_recalls()
    expected = np.where(theirs == -1, np.nan, theirs).transpose(0, 2, 1)
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    mean, strict, *classes = precision_lines(matches_of(evaluated(truth, rows)), ["a", "b", "nothing"])
    np.testing.assert_allclose(mean.y, np.nanmean(expected[0], axis=0))
    np.testing.assert_allclose(strict.y, np.nanmean(expected[5], axis=0))
    assert sorted(line.name[0] for line in classes) == ["a", "b"]


def test_an_image_that_counts_twice_equals_two_such_images():
    truth, rows = random_case(7)
    weights = np.random.default_rng(1).integers(0, 3, len(truth["images"])).astype(float)
    several, detections = drawn(truth, rows, weights)
    expected = matches_of(evaluated(several, detections)).average_precision()
    found = matches_of(evaluated(truth, rows)).average_precision(weights)
    # Of equal scores the earlier image comes first, and copies are not beside each other.
    np.testing.assert_allclose(found, expected, atol=0.02)


def drawn(truth: dict, rows: np.ndarray, weights: np.ndarray) -> tuple[dict, np.ndarray]:
    images, annotations, detections = [], [], []
    for image, count in zip(truth["images"], weights.astype(int), strict=True):
        for _ in range(count):
            number = len(images) + 1
            images.append({"id": number})
            own = [copy.copy(each) for each in truth["annotations"] if each["image_id"] == image["id"]]
            annotations += [{**each, "image_id": number, "id": len(annotations) + i} for i, each in enumerate(own, 1)]
            detections.append(
                np.c_[np.full(sum(rows[:, 0] == image["id"]), number), rows[rows[:, 0] == image["id"], 1:]]
            )
    return {**truth, "images": images, "annotations": annotations}, np.concatenate(detections)


def test_without_detections():
    truth, _ = random_case(3)
    matches = matches_of(evaluated(truth, np.zeros((0, 7))))
    assert np.nanmean(matches.average_precision()) == 0


def test_a_file_brings_everything_back(tmp_path):
    matches = matches_of(evaluated(*random_case(4)))
    matches.save(tmp_path / "matches.npz")
    again = Matches.load(tmp_path / "matches.npz")
    for name, values in vars(matches).items():
        np.testing.assert_array_equal(getattr(again, name), values)


@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 not a real archive"])
def test_a_damaged_file_is_said(tmp_path, content):
    path = tmp_path / "matches.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        Matches.load(path)


def test_precision_at_recalls_by_hand():
    # Half of the objects found, at a precision of 1: 51 of the 101 recalls are reached.
    assert at_recalls(np.array([0.5]), np.array([1.0])).mean() == pytest.approx(51 / 101)
