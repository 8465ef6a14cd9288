"""With the same weights, our Faster R-CNN on ResNet-50 with FPN gives torchvision's outputs, losses and detections."""

import pytest
import torch
from torch.testing import assert_close
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision_checks import (
    check_detections,
    first_of,
    first_of_theirs,
    mixed_targets,
    random_images,
    their_losses,
)
from torchvision_faster_rcnn import build_pair

from tradeoffs.models.detection import rpn, two_stage

NUM_CLASSES, SIZE, PROPOSALS = 5, 128, 60


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES, SIZE, num_proposals=PROPOSALS, train_proposals=200)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return random_images(3, SIZE)


@pytest.fixture(scope="module")
def raw(pair, images):
    """What torchvision's parts give, by name, and our output."""
    theirs, ours = pair
    seen = {}
    parts = {"rpn": theirs.rpn, "head": theirs.rpn.head, "predictor": theirs.roi_heads.box_predictor}
    parts["anchors"] = theirs.rpn.anchor_generator
    hooks = [
        part.register_forward_hook(lambda _, inputs, output, name=name: seen.update({name: output}))
        for name, part in parts.items()
    ]
    with torch.no_grad():
        theirs(list(images / 255))
        output = ours(images)
    for hook in hooks:
        hook.remove()
    return seen, output


def rows(maps: list[torch.Tensor], values: int) -> torch.Tensor:
    """torchvision's maps with one row of `values` per anchor."""
    flat = [x.unflatten(1, (-1, values)).permute(0, 3, 4, 1, 2).flatten(1, 3) for x in maps]
    return torch.cat(flat, dim=1)


def test_first_stage_is_equal(raw):
    seen, output = raw
    logits, offsets = seen["head"]
    assert_close(output.anchors, seen["anchors"][0], atol=1e-4, rtol=0)
    assert_close(output.objectness, rows(logits, 1).squeeze(-1), atol=1e-4, rtol=1e-4)
    assert_close(output.anchor_offsets, rows(offsets, 4), atol=1e-4, rtol=1e-4)


def test_proposals_are_equal(raw):
    seen, output = raw
    proposals, _ = seen["rpn"]
    assert output.valid.sum(dim=1).tolist() == [len(boxes) for boxes in proposals] == [PROPOSALS] * 3
    assert_close(output.proposals, torch.stack(proposals), atol=1e-3, rtol=1e-5)


def test_second_stage_is_equal(raw):
    seen, output = raw
    logits, offsets = seen["predictor"]
    assert_close(output.logits.flatten(0, 1).roll(1, dims=-1), logits, atol=1e-4, rtol=1e-4)
    assert_close(output.offsets.flatten(0, 1), offsets.unflatten(1, (-1, 4))[:, 1:], atol=1e-4, rtol=1e-4)


def test_losses_are_equal_given_the_same_samples(pair, images, monkeypatch):
    theirs, ours = pair
    monkeypatch.setattr(BalancedPositiveNegativeSampler, "__call__", first_of_theirs)
    monkeypatch.setattr(rpn, "balanced", first_of)
    monkeypatch.setattr(two_stage, "balanced", first_of)
    targets = mixed_targets()
    with torch.no_grad():
        mine = ours.losses(images, targets)
    reference = their_losses(theirs, images, targets, first_label=1)
    assert_close(mine["rpn_objectness"], reference["loss_objectness"], atol=1e-5, rtol=1e-4)
    assert_close(mine["rpn_localization"], reference["loss_rpn_box_reg"], atol=1e-5, rtol=1e-4)
    assert_close(mine["classification"], reference["loss_classifier"], atol=1e-5, rtol=1e-4)
    assert_close(mine["localization"], reference["loss_box_reg"], atol=1e-5, rtol=1e-4)
    assert all(loss > 0 for loss in mine.values())


@pytest.mark.parametrize("score_threshold", [0.05, 0.3])
def test_detections_are_equal(pair, images, score_threshold):
    theirs, ours = pair
    theirs.roi_heads.score_thresh = ours.score_threshold = score_threshold
    check_detections(theirs, ours, images, first_label=1)
