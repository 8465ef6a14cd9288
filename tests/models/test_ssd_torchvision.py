"""With the same weights, our SSD300-VGG16 gives the raw outputs, losses and detections of torchvision's."""

import pytest
import torch
from torch.testing import assert_close
from torchvision_checks import check_detections, mixed_targets, random_images, their_losses
from torchvision_ssd import build_pair

NUM_CLASSES = 5


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return random_images(3, 300)


@pytest.fixture(scope="module")
def raw(pair, images):
    """Both networks' outputs, ours with background first, as torchvision has it."""
    theirs, ours = pair
    with torch.no_grad():
        inputs, _ = theirs.transform(list(images / 255))
        features = list(theirs.backbone(inputs.tensors).values())
        return theirs.head(features), theirs.anchor_generator(inputs, features), ours(images)


def test_anchors_are_equal(raw):
    _, anchors, output = raw
    assert len(output.anchors) == 8732
    assert_close(output.anchors, anchors[0], atol=1e-4, rtol=0)


def test_raw_outputs_are_equal(raw):
    head, _, output = raw
    assert_close(output.offsets, head["bbox_regression"], atol=1e-4, rtol=1e-4)
    assert_close(output.logits.roll(1, dims=-1), head["cls_logits"], atol=1e-4, rtol=1e-4)


def test_losses_are_equal(pair, images):
    theirs, ours = pair
    targets = mixed_targets()
    with torch.no_grad():
        mine = ours.losses(images, targets)
    reference = their_losses(theirs, images, targets, first_label=1)
    assert_close(mine["localization"], reference["bbox_regression"], atol=1e-5, rtol=1e-4)
    assert_close(mine["classification"], reference["classification"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("score_threshold", [0.01, 0.3])
def test_detections_are_equal(pair, images, score_threshold):
    """At 0.01 every default box of every class is a candidate of these random weights, at 0.3 few are."""
    theirs, ours = pair
    theirs.score_thresh = ours.score_threshold = score_threshold
    check_detections(theirs, ours, images, first_label=1)
