"""What Keypoint R-CNN does with people of whom little is known, and by hand; see `test_contracts`, too."""

import math

import pytest
import torch
from model_contracts import CLASSES, SIZE, images, make
from torch.testing import assert_close

from tradeoffs.models.detection.two_stage import Samples
from tradeoffs.models.pose.keypoint_rcnn import keypoint_head
from tradeoffs.structures import Targets


@pytest.fixture
def model():
    return make("keypoint_rcnn", "mobilenet", "backbone.width=0.25")


def targets(flag: float = 2.0, valid: bool = True) -> Targets:
    """One person in the first image, whose joints all have this flag."""
    joints = torch.zeros(2, 1, CLASSES, 3)
    joints[0, 0] = torch.tensor([[20.0, 20, flag], [40, 60, flag], [59, 69, flag]])
    return Targets(
        boxes=torch.tensor([[[8.0, 8, 60, 70]], [[0, 0, 0, 0]]]),
        labels=torch.zeros(2, 1, dtype=torch.int64),
        valid=torch.tensor([[valid], [False]]),
        keypoints=joints,
    )


@pytest.mark.parametrize("given", [targets(flag=0.0), targets(valid=False)], ids=["no joints", "no people"])
def test_who_has_no_joints_teaches_none(model, given):
    """But a person is still to be found."""
    losses = model.losses(images(), given)
    assert losses["keypoints"] == 0 and losses["classification"] > 0
    assert (losses["localization"] > 0) == bool(given.valid.any())
    sum(losses.values()).backward()
    assert all(not p.grad.any() for p in model.keypoint_head.parameters())
    assert any(p.grad.any() for p in model.boxes.parameters()) == bool(given.valid.any())


def test_the_loss_of_even_maps_by_hand(model):
    """Each of 56 x 56 pixels is as probable: one region sees all joints, one two of them, one is background."""
    torch.nn.init.zeros_(model.keypoint_head[-1].weight)
    boxes = torch.tensor([[8.0, 8, 60, 70], [8, 8, 50, 70], [8, 8, 60, 70], [8, 8, 60, 70]])
    matches, valid = torch.tensor([0, 0, -1, 0]), torch.tensor([True, True, True, False])
    samples = Samples(boxes.repeat(2, 1, 1), torch.stack([matches, torch.full((4,), -1)]), valid.repeat(2, 1))
    model.keypoint_head[-1].bias.data = torch.tensor([0.0, 1, 2])  # of a map, which a softmax over its pixels ignores
    maps = model.maps(images())
    loss = model.third_losses(samples, maps, targets(), (SIZE, SIZE))["keypoints"]
    assert_close(loss, torch.tensor(math.log(56**2)))


def test_where_nobody_is_sure_enough_there_is_nobody(model):
    model.eval().score_threshold = 1.0
    with torch.no_grad():
        found = model.predict(images())
    assert not found.valid.any() and found.keypoints.shape == (2, 1, CLASSES, 3)


def test_joints_lie_in_their_boxes(model):
    model.eval().score_threshold = 0.0
    with torch.no_grad():
        found = model.predict(images())
    low, high = found.boxes[:, :, None].split(2, dim=-1)
    inside = (found.keypoints[..., :2] >= low) & (found.keypoints[..., :2] <= torch.maximum(high, low + 1))
    assert found.valid.all(dim=1).any() and inside[found.valid].all()
    scores = found.keypoints[..., 2][found.valid]
    assert (scores > 0).all() and (scores <= 1).all()
    assert not found.keypoints[~found.valid].any()


def test_fewer_proposals_are_the_first_ones(model):
    model.eval().score_threshold = 0.0
    with torch.no_grad():
        output = model(images())
        model.num_proposals = 10
        expected, found = model(images()), output.limited_to(10)
        joints = [model.postprocess(each, (SIZE, SIZE)).keypoints for each in (found, expected)]
    assert_close(*joints)


def test_the_head_has_he_et_als_layers():
    """Eight convolutions of 512 channels on 14 x 14 and a deconvolution; maps are doubled once more afterwards."""
    layers = keypoint_head(256, 512, 8, 17)
    assert layers(torch.zeros(1, 256, 14, 14)).shape == (1, 17, 28, 28)
    convolutions = 9 * 256 * 512 + 512 + 7 * (9 * 512**2 + 512)
    assert sum(p.numel() for p in layers.parameters()) == convolutions + 16 * 512 * 17 + 17
