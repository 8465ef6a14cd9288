"""With the same weights, our SSD300-VGG16 gives the raw outputs, losses and detections of torchvision's."""

import pytest
import torch
from torch.testing import assert_close
from torchvision_ssd import build_pair

from tradeoffs.structures import Targets

NUM_CLASSES = 5


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs, ours = build_pair(NUM_CLASSES)
    return theirs.eval(), ours.eval()


@pytest.fixture(scope="module")
def images():
    return torch.randint(0, 256, (2, 3, 300, 300), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


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
    boxes = torch.tensor(
        [
            [[10.0, 20, 80, 90], [100, 100, 290, 280], [12, 22, 78, 95], [37, 41, 58, 66]],
            [[150.0, 10, 200, 290], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        ]
    )
    labels = torch.tensor([[0, 4, 2, 1], [3, 0, 0, 0]])
    valid = torch.tensor([[True] * 4, [True] + [False] * 3])
    with torch.no_grad():
        mine = ours.losses(images, Targets(boxes, labels, valid))
        theirs.train()
        reference = theirs(
            list(images / 255),
            [{"boxes": boxes[i][valid[i]], "labels": labels[i][valid[i]] + 1} for i in range(2)],
        )
        theirs.eval()
    assert_close(mine["localization"], reference["bbox_regression"], atol=1e-5, rtol=1e-4)
    assert_close(mine["classification"], reference["classification"], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("score_threshold", [0.01, 0.3])
def test_detections_are_equal(pair, images, score_threshold):
    """At 0.01 every default box of every class is a candidate of these random weights, at 0.3 few are."""
    theirs, ours = pair
    theirs.score_thresh = ours.score_threshold = score_threshold
    with torch.no_grad():
        mine = ours.predict(images)
        reference = theirs(list(images / 255))
    for i, expected in enumerate(reference):
        valid = mine.valid[i]
        assert valid.sum() == len(expected["boxes"]) > 0
        assert_close(mine.scores[i][valid], expected["scores"], atol=1e-5, rtol=1e-4)
        assert torch.equal(mine.labels[i][valid] + 1, expected["labels"])
        assert_close(mine.boxes[i][valid], expected["boxes"], atol=1e-2, rtol=1e-4)
