import torch

from tradeoffs.ops.sampling import hard_negatives


def test_three_hardest_for_each_positive():
    losses = torch.tensor([[9.0, 1, 5, 3, 4, 2], [1, 2, 3, 4, 5, 6]])
    positive = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    chosen = hard_negatives(losses, positive, 3)
    assert chosen.tolist() == [[False, False, True, True, True, False], [False] * 6]


def test_never_a_positive_even_when_negatives_run_out():
    positive = torch.tensor([[True, True, False]])
    assert hard_negatives(torch.ones(1, 3), positive, 3).tolist() == [[False, False, True]]
