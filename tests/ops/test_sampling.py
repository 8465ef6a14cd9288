import torch

from tradeoffs.ops.sampling import at_random, balanced, first_rows, hard_negatives


def test_three_hardest_for_each_positive():
    losses = torch.tensor([[9.0, 1, 5, 3, 4, 2], [1, 2, 3, 4, 5, 6]])
    positive = torch.tensor([[True, False, False, False, False, False], [False] * 6])
    chosen = hard_negatives(losses, positive, 3)
    assert chosen.tolist() == [[False, False, True, True, True, False], [False] * 6]


def test_never_a_positive_even_when_negatives_run_out():
    positive = torch.tensor([[True, True, False]])
    assert hard_negatives(torch.ones(1, 3), positive, 3).tolist() == [[False, False, True]]


POSITIVE = torch.tensor([[True] * 6 + [False] * 14, [True] + [False] * 19, [False] * 20])
NEGATIVE = torch.tensor([[False] * 6 + [True] * 14, [False] * 17 + [True] * 3, [False] * 10 + [True] * 10])


def test_a_balanced_sample_has_the_wanted_numbers():
    """8 of each image, 2 of them positive: where there is one only, negatives take the place, as far as they go."""
    chosen = balanced(POSITIVE, NEGATIVE, count=8, fraction=0.25)
    assert (chosen & POSITIVE).sum(dim=1).tolist() == [2, 1, 0]
    assert (chosen & NEGATIVE).sum(dim=1).tolist() == [6, 3, 8]
    assert not (chosen & ~POSITIVE & ~NEGATIVE).any()


def test_more_than_there_are_is_all():
    chosen = balanced(POSITIVE, NEGATIVE, count=100, fraction=0.5)
    assert torch.equal(chosen, POSITIVE | NEGATIVE)


def test_every_candidate_is_as_likely():
    torch.manual_seed(0)
    candidates = torch.tensor([True, False, True, True, True]).expand(4000, 5)
    chosen = at_random(candidates, torch.full((4000, 1), 2), most=3)
    assert (chosen.sum(dim=1) == 2).all()
    counts = chosen.sum(dim=0)
    assert counts[1] == 0
    assert (counts[[0, 2, 3, 4]] - 2000).abs().max() < 130  # four standard deviations


def test_a_sample_depends_on_the_generator_alone():
    torch.manual_seed(3)
    first = balanced(POSITIVE, NEGATIVE, 8, 0.25)
    torch.manual_seed(3)
    assert torch.equal(first, balanced(POSITIVE, NEGATIVE, 8, 0.25))


def test_first_rows_keep_their_order():
    chosen = torch.tensor([[False, True, True, False, True], [False, False, False, True, False]])
    index, real = first_rows(chosen, 2)
    assert index[0].tolist() == [1, 2] and index[1, 0] == 3
    assert real.tolist() == [[True, True], [True, False]]


def test_the_first_chosen_row_fills_up():
    """An image without any keeps its first rows, none of which is real."""
    chosen = torch.tensor([[False, False, True, False, True], [False, True, False, False, False], [False] * 5])
    index, real = first_rows(chosen, 4)
    assert index.tolist() == [[2, 4, 2, 2], [1, 1, 1, 1], [0, 1, 2, 3]]
    assert real.tolist() == [[True, True, False, False], [True, False, False, False], [False] * 4]
