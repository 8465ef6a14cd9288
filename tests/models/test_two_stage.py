import math

import pytest
import torch
from torch.testing import assert_close

from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import (
    Samples,
    TwoStageOutput,
    detect_in_proposals,
    label_proposals,
    labels_of,
    of_class,
    proposal_scores,
    sample,
    second_stage_losses,
    with_truth,
)
from tradeoffs.structures import Targets

TARGETS = Targets(
    boxes=torch.tensor([[[0.0, 0, 10, 10], [20, 20, 40, 40], [0, 0, 0, 0]]]),
    labels=torch.tensor([[2, 0, 0]]),
    valid=torch.tensor([[True, True, False]]),
)
PROPOSALS = Proposals(
    boxes=torch.tensor([[[20.0, 20, 40, 32], [0, 0, 10, 4], [0, 1, 10, 10], [0, 0, 0, 0]]]),
    valid=torch.tensor([[True, True, True, False]]),
)


def test_proposals_answer_for_what_they_overlap_by_half():
    """IoU 0.6 with the second object, 0.4 and 0.9 with the first; the last is padding."""
    samples = label_proposals(PROPOSALS, TARGETS)
    assert samples.matches.tolist() == [[1, -1, 0, -1]]
    assert torch.equal(samples.valid, PROPOSALS.valid)
    assert labels_of(samples, TARGETS, num_classes=3).tolist() == [[0, 3, 2, 3]]


def test_objects_are_proposals_too():
    both = with_truth(PROPOSALS, TARGETS)
    assert both.valid.tolist() == [[True, True, True, False, True, True, False]]
    assert torch.equal(both.boxes[:, 4:], TARGETS.boxes)
    assert label_proposals(both, TARGETS).matches[0, 4:].tolist() == [0, 1, -1]


def test_a_sample_has_at_most_its_fraction_of_objects_and_no_padding():
    boxes = torch.arange(40.0).view(1, 10, 4)
    matches = torch.tensor([[0, 1, 0, 1, 0, -1, -1, -1, -1, -1]])
    valid = torch.tensor([[True] * 8 + [False] * 2])
    torch.manual_seed(0)
    chosen = sample(Samples(boxes, matches, valid), count=8, fraction=0.25)
    assert chosen.boxes.shape == (1, 8, 4)
    assert chosen.valid.sum() == 5  # two objects of the two allowed, and the three that are background
    assert (chosen.matches >= 0)[chosen.valid].sum() == 2
    rows = (chosen.boxes[chosen.valid][:, 0] / 4).long()
    assert rows.unique().numel() == 5 and rows.max() < 8
    assert torch.equal(matches[0, rows], chosen.matches[chosen.valid])


def test_losses_by_hand():
    """The first is its object moved by a tenth of its width, the second is background, the third padding."""
    samples = Samples(
        boxes=torch.tensor([[[0.0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 0, 0]]]),
        matches=torch.tensor([[0, -1, -1]]),
        valid=torch.tensor([[True, True, False]]),
    )
    target = Targets(torch.tensor([[[1.0, 0, 11, 10]]]), torch.tensor([[1]]), torch.tensor([[True]]))
    logits = torch.zeros(1, 3, 4)
    logits[0, 1, 3] = math.log(5)  # background of probability 5/8
    offsets = torch.zeros(1, 3, 3, 4, requires_grad=True)
    losses = second_stage_losses(logits, offsets, samples, target, beta=1.0)
    assert_close(losses["classification"], torch.tensor((math.log(4) + math.log(8 / 5)) / 2))
    assert_close(losses["localization"], torch.tensor(0.25))  # 0.5 of an offset of 1, shared by two samples
    losses["localization"].backward()
    assert offsets.grad.nonzero().tolist() == [[0, 0, 1, 0]]  # of the object's class alone


@pytest.mark.parametrize(("shared", "expected"), [(False, [[0, 2, 2]]), (True, [[0, 0, 0]])])
def test_offsets_of_the_class_or_of_all_classes(shared, expected):
    offsets = torch.arange(3.0).view(1, 1, 3, 1).expand(1, 3, 3, 4)
    offsets = offsets[:, :, :1] if shared else offsets
    labels = torch.tensor([[0, 2, 3]])  # the last is background: anything will do
    assert of_class(offsets, labels)[..., 0].tolist() == expected


def result(logits: torch.Tensor, offsets: torch.Tensor) -> TwoStageOutput:
    proposals = torch.tensor([[[0.0, 0, 10, 10], [20, 20, 40, 40], [0, 0, 0, 0]]])
    valid = torch.tensor([[True, True, False]])
    anchors = torch.zeros(1, 7), torch.zeros(1, 7, 4), torch.zeros(7, 4)
    return TwoStageOutput(*anchors, proposals, valid, logits, offsets)


@pytest.mark.parametrize("shared", [False, True])
def test_each_class_moves_the_box_its_own_way(shared):
    """Class 1 is moved by half a width, 5 = 10 x 0.5, and so is class 0 where they share the box."""
    logits = torch.tensor([[[5.0, 4, 0], [-9, -9, 0], [99, 0, 0]]])
    offsets = torch.zeros(1, 3, 1 if shared else 2, 4)
    offsets[:, :, -1, 0] = 5.0
    limits = {"score_threshold": 0.2, "nms_threshold": 0.5, "max_detections": 4}
    found = detect_in_proposals(result(logits, offsets), (64, 64), **limits)
    assert found.valid.tolist() == [[True, True]]
    assert found.labels.tolist() == [[0, 1]]
    assert_close(found.boxes[0, 1], torch.tensor([5.0, 0, 15, 10]))
    assert_close(found.boxes[0, 0], torch.tensor([5.0, 0, 15, 10]) if shared else torch.tensor([0.0, 0, 10, 10]))


def test_padding_scores_nothing():
    scores = proposal_scores(result(torch.zeros(1, 3, 3), torch.zeros(1, 3, 2, 4)))
    assert_close(scores, torch.tensor([[[1 / 3] * 2, [1 / 3] * 2, [0.0] * 2]]))


def test_fewer_proposals_are_the_first_ones():
    logits, offsets = torch.randn(1, 3, 3), torch.randn(1, 3, 2, 4)
    few = result(logits, offsets).limited_to(2)
    assert few.proposals.shape == (1, 2, 4) and few.valid.shape == (1, 2)
    assert torch.equal(few.logits, logits[:, :2]) and torch.equal(few.offsets, offsets[:, :2])
    assert few.objectness.shape == (1, 7)
