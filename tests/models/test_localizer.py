"""Localizers: boxes and losses by hand, and which box learns and is used."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from model_contracts import images, make
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.localization.localizer import Localizer, LocalizerOutput, box_losses, decode, encode
from tradeoffs.structures import Targets

EXTENT = torch.tensor([200.0, 100, 200, 100])


def small(num_classes: int = 2, **options) -> Localizer:
    return Localizer(Backbone([nn.Conv2d(3, 4, 8, stride=8)], channels=[4], strides=[8]), num_classes, **options)


def output(logits: list[float], boxes: list[list[float]]) -> LocalizerOutput:
    return LocalizerOutput(torch.tensor([logits]), torch.tensor([boxes]), EXTENT)


def targets(label: int) -> Targets:
    """Of 200 x 100 pixels: a box from 0.1, 0.2 to 0.5, 0.8."""
    return Targets(label=torch.tensor([label]), boxes=torch.tensor([[[20.0, 20, 100, 80]]]))


@pytest.mark.parametrize(
    ("loss", "coding", "box", "expected"),
    [
        ("l2", "corners", [0.2, 0.2, 0.5, 0.6], 0.1**2 + 0.2**2),
        ("l2", "center_size", [0.3, 0.6, 0.4, 0.3], 0.1**2 + 0.3**2),
        ("smooth_l1", "corners", [0.15, 0.2, 0.5, 0.6], 0.5 * 0.05**2 / 0.1 + (0.2 - 0.05)),
        ("iou", "corners", [0.1, 0.2, 0.5, 0.5], 1 - 0.5),  # the upper half
        ("iou", "corners", [0.5, 0.8, 0.1, 0.2], 0.0),  # the other way round
        ("iou", "center_size", [0.7, 0.5, 0.4, 0.6], 1.0),  # side by side
    ],
)
def test_losses_of_boxes_by_hand(loss, coding, box, expected):
    model = small(boxes="one", box_coding=coding, box_loss=loss, localization_weight=3, classification_weight=0.5)
    losses = model.criterion(output([0.0, 0.0], [box]), targets(1))
    assert_close(losses["localization"], torch.tensor(3.0 * expected), atol=1e-5, rtol=1e-5)
    assert_close(losses["classification"], torch.tensor(0.5 * math.log(2)))


def test_the_box_of_the_true_class_alone_learns():
    model, found = small(boxes="per_class"), output([2.0, 0.0], [[0.0, 0, 1, 1], [0.2, 0.2, 0.5, 0.8]])
    found.coordinates.requires_grad_()
    loss = model.criterion(found, targets(1))["localization"]
    loss.backward()
    assert_close(loss.detach(), torch.tensor(10 * 0.1**2))
    assert found.coordinates.grad.any(dim=-1).tolist() == [[False, True]]


def test_each_class_has_its_box_and_they_are_cut_at_the_border():
    found = output([0.0, 1.0], [[0.1, 0.2, 0.5, 0.8], [-0.5, 0.5, 0.25, 1.5]])
    answer = small(boxes="per_class").postprocess(found, (100, 200))
    assert answer.labels.tolist() == [[1, 0]] and answer.scores.sum() == pytest.approx(1)
    assert_close(answer.boxes, torch.tensor([[[0.0, 50, 50, 100], [20, 20, 100, 80]]]))


def test_one_box_is_that_of_all_classes():
    answer = small(7).postprocess(output([0.0, 6, 5, 4, 3, 2, 1], [[0.1, 0.2, 0.5, 0.8]]), (100, 200))
    assert answer.labels.tolist() == [[1, 2, 3, 4, 5]]
    assert_close(answer.boxes, torch.tensor([20.0, 20, 100, 80]).expand(1, 5, 4))


@pytest.mark.parametrize("coding", ["corners", "center_size"])
@pytest.mark.parametrize("boxes", ["one", "per_class"])
def test_training_starts_at_the_middle_of_the_image(coding, boxes):
    model = make("localizer", "mobilenet", "backbone.width=0.25", f"model.box_coding={coding}", f"model.boxes={boxes}")
    with torch.no_grad():
        found = model.eval().predict(images()).boxes
    assert_close(found, torch.tensor([24.0, 24, 72, 72]).expand_as(found), atol=4.0, rtol=0)


@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=3))
def test_coding_round_trips(rows):
    boxes = decode(torch.tensor(rows), "corners")  # in order
    for coding in ("corners", "center_size"):
        assert_close(decode(encode(boxes, coding), coding), boxes, atol=1e-6, rtol=0)


@pytest.mark.parametrize("coding", ["corners", "center_size"])
@pytest.mark.parametrize("loss", ["l2", "smooth_l1", "iou"])
def test_every_loss_leads_to_the_box(coding, loss):
    wanted = torch.tensor([[0.1, 0.2, 0.5, 0.8]])
    coordinates = encode(torch.tensor([[0.25, 0.25, 0.75, 0.75]]), coding).requires_grad_()
    optimizer = torch.optim.Adam([coordinates], lr=0.01)
    for _ in range(200):
        optimizer.zero_grad()
        box_losses(coordinates, wanted, coding, loss).mean().backward()
        optimizer.step()
    assert_close(decode(coordinates.detach(), coding), wanted, atol=0.02, rtol=0)
