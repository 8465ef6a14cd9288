"""Scores of labels against torchmetrics, and by hand."""

import json

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_calibration_error

from tradeoffs.errors import UserError
from tradeoffs.metrics.labels import LabelMetric
from tradeoffs.structures import Labels

CLASSES = 8


@pytest.fixture
def scored() -> tuple[LabelMetric, torch.Tensor, torch.Tensor]:
    """200 images in batches of 64, of which the last class never is the truth; with their probabilities."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, CLASSES - 1, (200,), generator=generator)
    logits = torch.randn(200, CLASSES, generator=generator) + 1.5 * torch.eye(CLASSES)[truth]
    probabilities = (3 * logits).softmax(dim=1)
    metric = LabelMetric([f"class {number}" for number in range(CLASSES)], list(range(10, 10 + CLASSES)))
    top = probabilities.topk(5, dim=1)
    ids = torch.arange(200) + 2**53  # which no float holds all of
    for part in torch.arange(200).split(64):
        metric.update(ids[part], Labels(top.indices[part], top.values[part]), truth[part])
    return metric, probabilities, truth


def test_equal_to_torchmetrics(scored):
    metric, probabilities, truth = scored
    summary = metric.compute().summary
    for name, top in (("top1", 1), ("top5", 5)):
        expected = multiclass_accuracy(probabilities, truth, CLASSES, average="micro", top_k=top)
        assert summary[name] == pytest.approx(float(expected))
    expected = multiclass_accuracy(probabilities, truth, CLASSES, average=None)[:-1].mean()
    assert summary["class_mean"] == pytest.approx(float(expected))
    expected = multiclass_calibration_error(probabilities, truth, CLASSES, n_bins=15, norm="l1")
    assert summary["calibration_error"] == pytest.approx(float(expected), abs=1e-6)


def test_what_is_left_of_each_image(scored):
    metric, probabilities, truth = scored
    evidence, matrix = metric.evidence(), np.array(metric.confusion())
    summary = metric.compute().summary
    assert evidence.score() == pytest.approx({name: summary[name] for name in ("top1", "top5")})
    assert matrix.sum() == 200 and matrix.diagonal().sum() == round(200 * summary["top1"])
    assert (matrix.sum(axis=1) == torch.bincount(truth, minlength=CLASSES).numpy()).all()
    first = metric.predictions()[:5]
    assert {row["image_id"] for row in first} == {2**53}
    assert first[0]["category_id"] == 10 + int(probabilities[0].argmax())
    record = json.loads(json.dumps(metric.compute().to_dict()))
    assert record["per_class"][-1] == {"id": 17, "name": "class 7", "accuracy": None, "instances": 0}


def test_an_image_that_comes_twice_counts_once(scored):
    metric, _, _ = scored
    before = metric.compute().summary
    metric.update(
        torch.tensor([2**53]), Labels(torch.zeros(1, 5, dtype=torch.int64), torch.ones(1, 5)), torch.tensor([5])
    )
    assert metric.compute().summary == before


def test_what_is_no_number_is_said(scored):
    metric, _, _ = scored
    with pytest.raises(UserError, match="not finite"):
        metric.update(
            torch.tensor([1]),
            Labels(torch.zeros(1, 5, dtype=torch.int64), torch.full((1, 5), torch.nan)),
            torch.tensor([0]),
        )
    metric.reset()
    with pytest.raises(UserError, match="no image"):
        metric.compute()
