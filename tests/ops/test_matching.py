import torch
from torchvision.models.detection._utils import SSDMatcher

from tradeoffs.ops.matching import gather_rows, match

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
