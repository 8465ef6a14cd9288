"""What evidence says of each image, whatever kind it is."""

from pathlib import Path

import numpy as np
import pytest

from tradeoffs.errors import UserError
from tradeoffs.metrics.evidence import evidence_file, load_evidence, save_evidence
from tradeoffs.metrics.matches import Matches
from tradeoffs.metrics.mistakes import mistakes
from tradeoffs.metrics.ratios import Ratios


@pytest.fixture
def matches() -> Matches:
    """Three images with 2, 1 and 0 objects; detections by falling score: right, right, wrong, ignored, wrong."""
    true = np.tile(np.array([True, True, False, False, False]), (10, 1))
    ignored = np.tile(np.array([False, False, False, True, False]), (10, 1))
    return Matches(
        image_ids=np.array([7, 8, 9]),
        class_ids=np.array([1]),
        objects=np.array([[2, 1, 0]]),
        classes=np.zeros(5, np.int64),
        images=np.array([0, 1, 2, 2, 0]),
        scores=np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32),
        true=true,
        ignored=ignored,
    )


def test_mistakes_of_each_image(matches):
    found = mistakes(matches)
    assert found.threshold == pytest.approx(0.8)  # F1 2/4, 4/5, 4/6, 4/7
    assert found.kinds == {"missed": {7: 1, 8: 0, 9: 0}, "false": {7: 0, 8: 0, 9: 0}}
    assert (found.is_best, found.words(7), found.total(7)) == (True, "1 missed, 0 false", 1)
    assert found.worst(2) == [7, 8]


def test_mistakes_without_detections(matches):
    nothing = slice(0, 0)
    empty = Matches(
        *(matches.image_ids, matches.class_ids, matches.objects, matches.classes[nothing], matches.images[nothing]),
        *(matches.scores[nothing], matches.true[:, nothing], matches.ignored[:, nothing]),
    )
    assert mistakes(empty).kinds["missed"] == {7: 2, 8: 1, 9: 0}


@pytest.fixture
def ratios() -> Ratios:
    """Two of three images are right; the error is known for two."""
    return Ratios(
        image_ids=np.array([7, 8, 9]),
        names=["accuracy", "error"],
        above=np.array([[1.0, 0, 1], [2, 0, 4]]),
        below=np.array([[1.0, 1, 1], [1, 0, 1]]),
        mistakes=np.array([0.0, 1, 0]),
        mistake="wrong",
    )


def test_a_ratio_is_of_sums_not_a_mean_of_ratios(ratios):
    assert ratios.score() == pytest.approx({"accuracy": 2 / 3, "error": 3})
    assert ratios.score(np.array([3.0, 1, 0])) == pytest.approx({"accuracy": 3 / 4, "error": 2})
    assert np.isnan(ratios.score(np.array([0.0, 1, 0]))["error"])
    found = mistakes(ratios)
    assert (found.worst(1), found.words(8), found.threshold) == ([8], "1 wrong", None)


def test_ratios_are_saved_and_compared(ratios, tmp_path: Path):
    assert evidence_file(tmp_path) is None
    save_evidence(ratios, tmp_path)
    again = load_evidence(evidence_file(tmp_path))
    assert again.score() == ratios.score() and again.mistake == "wrong" and again.has_truth_of(ratios)
    assert not again.has_truth_of(
        Ratios(*(ratios.image_ids, ["accuracy"], ratios.above, ratios.below + 1), ratios.mistakes, "wrong")
    )
    (tmp_path / "ratios.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="score the run again"):
        load_evidence(tmp_path / "ratios.npz")
