"""ILSVRC's localization scores, worked out by hand."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tradeoffs.structures import Batch, LabelledBoxes, Targets
from tradeoffs.tasks.localization import LocalizationTask

# Original images of 200 x 100 pixels that the network sees as 100 x 100.
TRUTH = torch.tensor([[[10.0, 10, 50, 50]]])


def batch_of(labels: list[int]) -> Batch:
    count = len(labels)
    return Batch(
        images=torch.zeros(count, 3, 100, 100, dtype=torch.uint8),
        targets=Targets(boxes=TRUTH.expand(count, 1, 4), label=torch.tensor(labels)),
        geometry=torch.tensor([0.5, 1, 0, 0]).expand(count, 4),
        original_sizes=torch.tensor([100, 200]).expand(count, 2),
        image_ids=torch.arange(count) + 7,
        addresses=torch.zeros(count, 3, dtype=torch.int64),
    )


def test_by_hand():
    """Three images of class 0. IoU 0.5, 0.625 and 0.25 with the class known; class 0 is first, second and not named."""
    labels = torch.tensor([[0, 1], [1, 0], [1, 2]])
    scores = torch.tensor([[0.8, 0.1]]).expand(3, 2)
    known = torch.tensor([[10.0, 10, 30, 50], [10, 10, 35, 50], [10, 10, 30, 30]])
    class_boxes = torch.stack([known, TRUTH[0].expand(3, 4), TRUTH[0].expand(3, 4)], dim=1)
    boxes = class_boxes.gather(1, labels[..., None].expand(3, 2, 4))
    task = LocalizationTask(nn.Identity())
    metric = task.build_metric(SimpleNamespace(category_ids=[5, 6, 7]))
    task.show(metric, batch_of([0, 0, 0]), LabelledBoxes(labels, scores, boxes, class_boxes))
    assert metric.compute().summary == pytest.approx(
        {
            "loc1": 1 / 3,
            "loc5": 2 / 3,
            "loc_known": 2 / 3,
            "loc_mean": (2 / 3 + 2 / 3 + 0) / 3,
            "box_iou": (0.5 + 0.625 + 0.25) / 3,
            "top1": 1 / 3,
        }
    )
    first = metric.predictions()[0]
    assert first == {"image_id": 7, "category_id": 5, "bbox": [20.0, 10.0, 40.0, 40.0], "score": pytest.approx(0.8)}


def test_one_box_for_all_classes_is_that_of_each():
    one = torch.tensor([[[10.0, 10, 50, 50]]])
    found = LabelledBoxes(torch.tensor([[2]]), torch.tensor([[0.9]]), one, one)
    assert torch.equal(found.of_class(torch.tensor([1])), one)
    assert found.objects_in(batch_of([0])).boxes.tolist() == [[[20.0, 10, 100, 50]]]
