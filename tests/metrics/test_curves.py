"""F1 worked out by hand. What `precision_lines` draws is held against pycocotools in `test_matches.py`."""

import numpy as np
import pytest

from tradeoffs.metrics.curves import best_f1, f1_lines, score_curve, worth_drawing
from tradeoffs.metrics.matches import Matches


def by_hand(scores: list[float], true: list[bool], classes: list[int], ignored: tuple[int, ...] = ()) -> Matches:
    """Two classes with 3 and 1 objects in one image; everything beyond IoU 0.5 is wrong."""
    count = len(scores)
    found, left_out = np.zeros((10, count), bool), np.zeros((10, count), bool)
    found[0], left_out[:, list(ignored)] = true, True
    numbers = np.array(classes, np.int64)
    kept = np.array(scores, np.float32)
    return Matches(
        *(np.array([7]), np.array([1, 2]), np.array([[3], [1]]), numbers, np.zeros(count, np.int64), kept),
        *(found, left_out),
    )


def test_f1_by_hand():
    # By falling score: 0.9 right, 0.8 wrong (class 1), 0.7 right (class 1), 0.6 right, 0.5 ignored, 0.2 wrong.
    matches = by_hand([0.9, 0.6, 0.5, 0.2, 0.8, 0.7], [True, True, False, False, False, True], [0] * 4 + [1] * 2, (2,))
    curve = score_curve(matches)
    np.testing.assert_allclose(curve.scores, [0.9, 0.8, 0.7, 0.6, 0.2], rtol=1e-6)
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3, 3 / 4, 3 / 5])
    np.testing.assert_allclose(curve.recall, [1 / 4, 1 / 4, 2 / 4, 3 / 4, 3 / 4])
    np.testing.assert_allclose(curve.f1, [2 / 5, 2 / 6, 4 / 7, 6 / 8, 6 / 9])
    assert best_f1(matches) == pytest.approx((0.6, 0.75, 0.75, 0.75))
    assert best_f1(matches, 0) == pytest.approx((0.6, 4 / 5, 1, 2 / 3))
    assert best_f1(matches, 1) == pytest.approx((0.7, 2 / 3, 1 / 2, 1))
    np.testing.assert_allclose(curve.f1_at(np.array([0, 0.2, 0.21, 0.65, 0.95])), [6 / 9, 6 / 9, 6 / 8, 4 / 7, 0])
    assert [line.name for line in f1_lines(matches, ["a", "b"])] == [
        *("all: F1 0.75 at 0.60", "a: F1 0.80 at 0.60", "b: F1 0.67 at 0.70")
    ]


def test_a_threshold_takes_all_of_equal_score():
    # Alone the right one of the two at 0.5 would give 2 / 5; both give 2 / 6, and the three lower ones 4 / 9.
    matches = by_hand([0.5, 0.5, 0.4, 0.4, 0.4], [True, False, True, False, False], [0] * 5)
    curve = score_curve(matches)
    np.testing.assert_allclose(curve.f1, [2 / 6, 4 / 9])
    assert best_f1(matches).threshold == pytest.approx(0.4)


def test_of_equal_f1_the_highest_threshold():
    matches = by_hand([0.9, 0.5, 0.4, 0.3], [True, False, False, True], [0] * 4)  # 2/5 and, with the others, 4/8
    assert best_f1(matches).threshold == pytest.approx(0.3)
    matches = by_hand([0.9, 0.5, 0.4, 0.3, 0.3, 0.3], [True, False, False, True, False, False], [0] * 6)  # 4/10
    assert best_f1(matches) == pytest.approx((0.9, 2 / 5, 1, 1 / 4))


def test_nothing_right_has_no_best_threshold():
    for matches in (by_hand([], [], []), by_hand([0.9, 0.1], [False, False], [0, 1])):
        assert best_f1(matches) is None
        assert [line.name for line in f1_lines(matches, ["a", "b"])] == ["all: F1 0", "a: F1 0", "b: F1 0"]
        assert not any(line.y.any() for line in f1_lines(matches, ["a", "b"]))


def test_of_many_classes_the_extremes_are_drawn():
    assert worth_drawing(np.array([0.1, 0.3, 0.2])).tolist() == [1, 2, 0]
    assert worth_drawing(np.arange(12) / 12).tolist() == [11, 10, 9, 2, 1, 0]
