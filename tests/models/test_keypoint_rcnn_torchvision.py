"""With the same weights, our Keypoint R-CNN on ResNet-50 with FPN gives torchvision's losses, people and joints."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close
from torchvision_checks import (
    check_detections,
    check_losses_of_the_same_samples,
    mixed_targets,
    random_images,
    same_people,
)
from torchvision_keypoint_rcnn import build_pair

from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose

JOINTS, SIZE, PROPOSALS = 17, 128, 60
PUBLISHED_PARAMETERS = 59_137_258  # torchvision's documentation


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(JOINTS, SIZE, num_proposals=PROPOSALS, train_proposals=200)
    theirs.roi_heads.score_thresh = ours.score_threshold = 0.1
    theirs.roi_heads.nms_thresh = ours.nms_threshold = 0.9  # one class alone leaves few
    theirs.roi_heads.detections_per_img = ours.max_detections = 12  # joints take a second for thirty people
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return random_images(3, SIZE)


def posed_targets():
    """Joints in the boxes and around them, one on a corner; a third are not labelled, and one person has none."""
    targets = mixed_targets()
    generator = torch.Generator().manual_seed(2)
    low, high = targets.boxes[:, :, None, :2], targets.boxes[:, :, None, 2:]
    points = low + (high - low) * (1.2 * torch.rand(3, 4, JOINTS, 2, generator=generator) - 0.1)
    points[0, 0, 0] = targets.boxes[0, 0, 2:]
    flags = torch.randint(0, 3, (3, 4, JOINTS, 1), generator=generator).float()
    flags[0, 0, 0], flags[0, 3] = 2, 0
    keypoints = torch.cat([points, flags], dim=-1) * targets.valid[..., None, None]
    return replace(targets, keypoints=keypoints, labels=torch.zeros_like(targets.labels))


def test_losses_are_equal_given_the_same_samples(pair, images, monkeypatch):
    check_losses_of_the_same_samples(*pair, images, posed_targets(), "keypoints", monkeypatch)


def test_people_are_equal(pair, images):
    theirs, ours = pair
    check_detections(theirs, ours, images, first_label=1)


def test_joints_are_equal(pair, images):
    """Scores are probabilities, theirs are logits."""
    theirs, ours = pair
    with torch.no_grad():
        output, reference = ours(images), theirs(list(images / 255))
        found = ours.postprocess(output, (SIZE, SIZE))
        logits = ours.keypoint_logits(output.maps, found.boxes, found.valid, (SIZE, SIZE))
    assert found.keypoints.shape[2:] == (JOINTS, 3)
    sums = torch.zeros(found.keypoints.shape[:3])
    sums[found.valid] = logits.flatten(2).logsumexp(dim=2)
    for row, expected in enumerate(reference):
        mine, other = same_people(found, row, expected, least=5)
        scores = found.keypoints[row, mine, :, 2]
        assert ((scores > 0) & (scores < 1)).all()
        assert_close(scores.log() + sums[row, mine], expected["keypoints_scores"][other], atol=1e-3, rtol=1e-3)


def test_it_is_as_large_as_the_published_one():
    model = build_model(compose("train", ["task=pose", "model=keypoint_rcnn", "weights=coco"]), JOINTS)
    of_background = 4 * (1024 + 1)  # its box, which torchvision predicts, too, and never uses
    assert sum(parameter.numel() for parameter in model.parameters()) + of_background == PUBLISHED_PARAMETERS
