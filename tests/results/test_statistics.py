"""Intervals that hold what they promise."""

import numpy as np
import pytest
from scipy import stats

from tradeoffs.errors import UserError
from tradeoffs.metrics.matches import IOU_THRESHOLDS, Matches
from tradeoffs.results.statistics import Interval, difference, half_width, over_images


def detector(found: np.ndarray) -> Matches:
    """One object an image, and one detection, which is right where `found` says so."""
    count = len(found)
    true = np.tile(found.astype(bool), (len(IOU_THRESHOLDS), 1))
    numbers = np.arange(count)
    return Matches(
        image_ids=numbers,
        class_ids=np.array([1]),
        objects=np.ones((1, count), np.int64),
        classes=np.zeros(count, np.int64),
        images=numbers,
        scores=np.linspace(1, 0.1, count, dtype=np.float32),
        true=true,
        ignored=np.zeros_like(true),
    )


def test_bounds_over_seeds_are_students_interval():
    values = np.array([0.30, 0.34, 0.33])
    low, high = stats.t.interval(0.95, 2, values.mean(), stats.sem(values))
    margin = half_width(np.array([values.std(ddof=1), 0.1]), np.array([3, 1]))
    assert margin[0] == pytest.approx((high - low) / 2)
    assert np.isnan(margin[1])  # a single seed has no bounds


def test_over_images_encloses_the_estimate_and_narrows_with_more_images():
    rng = np.random.default_rng(0)
    few, many = (over_images(detector(rng.random(count) < 0.6), 200)["mAP"] for count in (50, 800))
    assert few.low < few.value < few.high
    assert many.low < many.value < many.high
    assert many.high - many.low < (few.high - few.low) / 2


def test_the_truth_lies_within_about_as_often_as_promised():
    rng = np.random.default_rng(1)

    def sample(images: int) -> Matches:
        return detector(rng.random(images) < np.linspace(0.95, 0.05, images))  # the surer, the more often right

    truth = over_images(sample(20000), 1)["mAP"].value
    intervals = [over_images(sample(150), 100, seed)["mAP"] for seed in range(60)]
    inside = np.mean([each.low <= truth <= each.high for each in intervals])
    assert 0.85 <= inside <= 1


def test_runs_differ_only_if_the_data_say_so():
    rng = np.random.default_rng(2)
    same = rng.random(200) < 0.6
    better = same | (rng.random(200) < 0.5)
    other = rng.permutation(same)
    assert difference(detector(same), detector(better), 200)["mAP"].sign == 1
    assert difference(detector(better), detector(same), 200)["AP50"].sign == -1
    assert difference(detector(same), detector(other), 200)["mAP"].sign == 0
    assert difference(detector(same), detector(same), 200)["mAP"] == Interval(0, 0, 0)


def test_runs_on_different_images_are_not_compared():
    with pytest.raises(UserError, match="not scored on the same images"):
        difference(detector(np.ones(5)), detector(np.ones(6)), 10)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("objects", [0, 1])
def test_samples_of_images_without_objects_have_no_score(objects: int):
    """One object in five images, or none: a third of the samples of images do not have it."""
    nothing = np.zeros((len(IOU_THRESHOLDS), 1), bool)
    counts = np.zeros((1, 5), np.int64)
    counts[0, 0] = objects
    matches = Matches(
        np.arange(5), np.array([1]), counts, np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1, np.float32),
        ~nothing if objects else nothing, nothing,
    )  # fmt: skip
    found = over_images(matches)["mAP"]
    np.testing.assert_allclose(found, [1, 1, 1] if objects else [np.nan] * 3, atol=1e-12)
    np.testing.assert_allclose(difference(matches, matches)["AP50"], [0, 0, 0] if objects else [np.nan] * 3, atol=1e-12)
