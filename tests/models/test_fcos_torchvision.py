"""With the same weights, our FCOS-R50-FPN gives the raw outputs, losses and detections of torchvision's."""

import pytest
import torch
from torch.testing import assert_close
from torchvision_fcos import build_pair

from tradeoffs.ops.boxes import to_centers
from tradeoffs.structures import Targets

NUM_CLASSES, SIZE = 5, 128


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES, SIZE)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (3, 3, SIZE, SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


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
    """Four objects in the first image, two of which overlap much and one of which is small; none in the second."""
    theirs, ours = pair
    boxes = torch.zeros(3, 4, 4)
    boxes[0] = torch.tensor([[10.0, 20, 80, 90], [50, 40, 120, 125], [12, 22, 78, 95], [37, 41, 48, 50]])
    boxes[2, 0] = torch.tensor([5.0, 60, 100, 128])
    labels = torch.tensor([[0, 4, 2, 1], [0, 0, 0, 0], [3, 0, 0, 0]])
    valid = torch.tensor([[True] * 4, [False] * 4, [True] + [False] * 3])
    with torch.no_grad():
        mine = ours.losses(images, Targets(boxes, labels, valid))
        theirs.train()
        theirs.backbone.eval()  # with fixed statistics of batch norm
        reference = theirs(
            list(images / 255), [{"boxes": boxes[i][valid[i]], "labels": labels[i][valid[i]]} for i in range(3)]
        )
        theirs.eval()
    assert_close(mine["localization"], reference["bbox_regression"], atol=1e-5, rtol=1e-4)
    assert_close(mine["centerness"], reference["bbox_ctrness"], atol=1e-5, rtol=1e-4)
    assert_close(mine["classification"], reference["classification"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("score_threshold", [0.01, 0.15])
def test_detections_are_equal(pair, images, score_threshold):
    """At 0.01 all boxes of all classes are candidates, at 0.15 a handful."""
    theirs, ours = pair
    theirs.score_thresh = ours.score_threshold = score_threshold
    with torch.no_grad():
        mine = ours.predict(images)
        reference = theirs(list(images / 255))
    for i, expected in enumerate(reference):
        valid = mine.valid[i]
        assert valid.sum() == len(expected["boxes"]) > 0
        assert_close(mine.scores[i][valid], expected["scores"], atol=1e-5, rtol=1e-4)
        assert torch.equal(mine.labels[i][valid], expected["labels"])
        assert_close(mine.boxes[i][valid], expected["boxes"], atol=1e-2, rtol=1e-4)
