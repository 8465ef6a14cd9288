"""With the same weights, our Mask R-CNN on ResNet-50 with FPN gives torchvision's losses, detections and masks."""

from dataclasses import replace

import pytest
import torch
from torchvision_checks import (
    check_detections,
    check_losses_of_the_same_samples,
    mixed_targets,
    random_images,
    same_detections,
)
from torchvision_mask_rcnn import build_pair

from tradeoffs.ops.masks import pack, unpack

NUM_CLASSES, SIZE, PROPOSALS = 5, 128, 60


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES, SIZE, num_proposals=PROPOSALS, train_proposals=200)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return random_images(3, SIZE)


def masked_targets():
    """Ellipses in the boxes."""
    targets = mixed_targets()
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    left, top, right, bottom = targets.boxes[..., None, None].unbind(dim=2)
    middle, radius = ((left + right) / 2, (top + bottom) / 2), ((right - left) / 2, (bottom - top) / 2)
    distance = ((x - middle[0]) / radius[0].clamp(min=1)) ** 2 + ((y - middle[1]) / radius[1].clamp(min=1)) ** 2
    return replace(targets, masks=pack((distance <= 1).to(torch.uint8)))


def test_losses_are_equal_given_the_same_samples(pair, images, monkeypatch):
    check_losses_of_the_same_samples(*pair, images, masked_targets(), "mask", monkeypatch)


def test_detections_are_equal(pair, images):
    theirs, ours = pair
    theirs.roi_heads.score_thresh = ours.score_threshold = 0.3
    check_detections(theirs, ours, images, first_label=1)


def test_masks_are_equal(pair, images):
    """As probabilities in boxes, which torchvision keeps before it pastes them, and pasted."""
    theirs, ours = pair
    theirs.roi_heads.score_thresh = ours.score_threshold = 0.3
    with torch.no_grad():
        found, reference = ours.predict(images), theirs(list(images / 255))
    assert found.masks.shape[-1] == 28
    for row, expected in enumerate(reference):
        mine, other = same_detections(found, row, expected, first_label=1)
        assert len(mine) >= 5
        pasted = unpack(found.pasted[row][mine], SIZE).bool()
        wanted = expected["masks"][other, 0]
        assert pasted.flatten(1).any(dim=1).any() and not pasted.flatten(1).all(dim=1).any()
        near = (wanted - 0.5).abs() < 1e-4
        assert torch.equal(pasted | near, (wanted > 0.5) | near) and near.float().mean() < 0.01
