import torch
from torchvision.models.detection._utils import Matcher, SSDMatcher

from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import claims, gather_rows, match, match_or_ignore, nearest_of_best

OVERLAPS = torch.tensor([[[0.9, 0.6, 0.1, 0.0], [0.3, 0.7, 0.2, 0.4]]])
BOTH = torch.tensor([[True, True]])


def test_best_object_above_the_threshold():
    assert match(OVERLAPS, BOTH, 0.5).tolist() == [[0, 1, -1, -1]]


def test_every_object_gets_its_best_reference():
    overlaps = torch.tensor([[[0.9, 0.6, 0.1, 0.0], [0.3, 0.2, 0.2, 0.4]]])
    assert match(overlaps, BOTH, 0.5).tolist() == [[0, 0, -1, 1]]
    assert match(overlaps, BOTH, 0.5, force=False).tolist() == [[0, 0, -1, -1]]


def test_padding_matches_nothing():
    assert match(OVERLAPS, torch.tensor([[True, False]]), 0.5).tolist() == [[0, 0, -1, -1]]
    assert match(OVERLAPS, torch.tensor([[False, False]]), 0.5).tolist() == [[-1, -1, -1, -1]]


def test_equals_torchvision_on_random_overlaps():
    generator = torch.Generator().manual_seed(0)
    overlaps = torch.rand(20, 6, 50, generator=generator)
    expected = torch.stack([SSDMatcher(0.5)(image.clone()) for image in overlaps])
    ours = match(overlaps, torch.ones(20, 6, dtype=torch.bool), 0.5)
    assert torch.equal(ours, expected.clamp(min=-1))


def test_gather_rows():
    rows = torch.tensor([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    index = torch.tensor([[1, 0, -1], [1, 1, 0]])
    assert gather_rows(rows, index)[:, :2].tolist() == [[[3, 4], [1, 2]], [[7, 8], [7, 8]]]
    assert gather_rows(rows[..., 0], index)[:, :2].tolist() == [[3, 1], [7, 7]]


def test_in_between_is_ignored_unless_it_is_the_best_there_is():
    """The second is neither; the third overlaps its object by little, but no other does more; the last two tie."""
    overlaps = torch.tensor([[[0.9, 0.5, 0.1, 0.0, 0.0, 0.0], [0.1, 0.2, 0.25, 0.2, 0.0, 0.0], [0, 0, 0, 0, 0.4, 0.4]]])
    valid = torch.tensor([[True, True, True]])
    assert match_or_ignore(overlaps, valid, low=0.3, high=0.7).tolist() == [[0, -2, 1, -1, 2, 2]]


def test_what_is_claimed_by_one_object_answers_for_the_one_it_overlaps_most():
    overlaps = torch.tensor([[[0.9, 0.6], [0.1, 0.5]]])
    assert match_or_ignore(overlaps, BOTH, low=0.3, high=0.7).tolist() == [[0, 0]]


def test_an_object_that_nothing_overlaps_claims_nothing():
    overlaps = torch.tensor([[[0.9, 0.1], [0.0, 0.0]]])
    assert match_or_ignore(overlaps, BOTH, low=0.3, high=0.7).tolist() == [[0, -1]]


def test_padding_neither_claims_nor_ignores():
    no = torch.tensor([[False, False]])
    assert match_or_ignore(OVERLAPS, no, low=0.3, high=0.7).tolist() == [[-1, -1, -1, -1]]


def test_equals_torchvision_with_ties():
    generator = torch.Generator().manual_seed(0)
    overlaps = torch.randint(1, 20, (20, 6, 50), generator=generator) / 20  # many are equal
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
    expected = torch.stack([matcher(image) for image in overlaps])
    assert torch.equal(match_or_ignore(overlaps, torch.ones(20, 6, dtype=torch.bool), 0.3, 0.7), expected)


def test_the_last_object_claims_a_slot():
    slots = torch.tensor([[2, 0, 2, 1], [3, 3, 3, 0]])
    valid = torch.tensor([[True, True, True, False], [True, True, False, False]])
    assert claims(slots, valid, 4).tolist() == [[1, -1, 2, -1], [-1, -1, -1, 1]]


def test_of_references_that_overlap_alike_the_nearest_counts():
    """A small object lies in the last two; a large one overlaps the first most, though others are nearer."""
    boxes = torch.tensor([[[4.0, 4, 6, 6], [0, 0, 8, 20]]])
    references = torch.tensor([[[0.0, 0, 8, 16], [-4, -4, 7, 7], [0, 0, 11, 11]]])
    overlaps = iou(boxes, references)
    assert nearest_of_best(overlaps, boxes, references).tolist() == [[2, 0]]
