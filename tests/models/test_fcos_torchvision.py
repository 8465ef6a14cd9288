"""With the same weights, our FCOS-R50-FPN gives the raw outputs, losses and detections of torchvision's."""

import pytest
import torch
from torch.testing import assert_close
from torchvision_checks import check_detections, mixed_targets, random_images, their_losses
from torchvision_fcos import build_pair

from tradeoffs.ops.boxes import to_centers

NUM_CLASSES, SIZE = 5, 128


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES, SIZE)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return random_images(3, SIZE)


@pytest.fixture(scope="module")
def raw(pair, images):
    """Both networks' outputs, and torchvision's anchors."""
    theirs, ours = pair
    with torch.no_grad():
        inputs, _ = theirs.transform(list(images / 255))
        features = list(theirs.backbone(inputs.tensors).values())
        return theirs.head(features), theirs.anchor_generator(inputs, features), ours(images)


def test_points_are_equal(raw):
    _, anchors, output = raw
    assert len(output.points) == 16**2 + 8**2 + 4**2 + 2**2 + 1
    assert_close(output.points, to_centers(anchors[0])[0], atol=1e-4, rtol=0)


def test_raw_outputs_are_equal(raw):
    head, _, output = raw
    assert_close(output.distances, head["bbox_regression"], atol=1e-4, rtol=1e-4)
    assert_close(output.centerness, head["bbox_ctrness"].squeeze(-1), atol=1e-4, rtol=1e-4)
    assert_close(output.logits, head["cls_logits"], atol=1e-4, rtol=1e-4)


def test_losses_are_equal(pair, images):
    theirs, ours = pair
    targets = mixed_targets()
    with torch.no_grad():
        mine = ours.losses(images, targets)
    reference = their_losses(theirs, images, targets)
    assert_close(mine["localization"], reference["bbox_regression"], atol=1e-5, rtol=1e-4)
    assert_close(mine["centerness"], reference["bbox_ctrness"], atol=1e-5, rtol=1e-4)
    assert_close(mine["classification"], reference["classification"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("score_threshold", [0.01, 0.15])
def test_detections_are_equal(pair, images, score_threshold):
    """At 0.01 all boxes of all classes are candidates, at 0.15 a handful."""
    theirs, ours = pair
    theirs.score_thresh = ours.score_threshold = score_threshold
    check_detections(theirs, ours, images)
