import numpy as np
import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.metrics.image_scores import ImageScores
from tradeoffs.metrics.mistakes import mistakes


@pytest.fixture
def metric() -> ImageScores:
    metric = ImageScores(["exact", "error"], "error", "off")
    values = {"exact": torch.tensor([1.0, 0, 0]), "error": torch.tensor([0.0, 2, 4])}
    metric.update(torch.tensor([30, 10, 20]), values, [[{"count": count}] for count in (1, 2, 3)])
    return metric


def test_means_over_images_each_once(metric):
    metric.update(torch.tensor([10]), {"exact": torch.ones(1), "error": torch.zeros(1)}, [[{"count": 9}]])
    scores = metric.compute()
    assert scores.summary == pytest.approx({"exact": 1 / 3, "error": 2}) and scores.num_images == 3
    assert metric.predictions() == [
        {"image_id": 10, "count": 2},
        {"image_id": 20, "count": 3},
        {"image_id": 30, "count": 1},
    ]
    found = mistakes(metric.evidence())
    assert found.worst(2) == [20, 10] and found.words(20) == "4 off"


def test_what_lacks_to_one(metric):
    other = ImageScores(["iou"], "iou", "of the box missed", inverted=True)
    other.update(torch.tensor([1]), {"iou": torch.tensor([0.75])}, [[]])
    np.testing.assert_allclose(other.evidence().mistakes, [0.25])


def test_no_images_and_no_numbers_are_said(metric):
    metric.reset()
    with pytest.raises(UserError, match="no image"):
        metric.compute()
    with pytest.raises(UserError, match="not finite"):
        metric.update(torch.tensor([1]), {"exact": torch.tensor([torch.nan]), "error": torch.zeros(1)}, [[]])
