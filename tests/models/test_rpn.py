import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from tradeoffs.models.detection.rpn import RPN, RPNOutput, split_maps
from tradeoffs.ops.roi import pyramid_levels, roi_align
from tradeoffs.structures import Targets

IMAGE = (32, 32)


def network(maps: int = 1, **options) -> RPN:
    """Two anchors a location, of 16 x 16 and 16 x 8 px in an image of 32 px."""
    return RPN(4, [[(0.5, 0.5), (0.5, 0.25)]] * maps, hidden=8, **options)


def output(logits: list[float], anchors: list[list[float]]) -> RPNOutput:
    """Of one image, with all boxes where their anchors are."""
    return RPNOutput(torch.tensor([logits]), torch.zeros(1, len(logits), 4), torch.tensor(anchors, dtype=torch.float32))


def target(*box: float) -> Targets:
    return Targets(torch.tensor([[box]]), torch.tensor([[0]]), torch.tensor([[True]]))


def test_rows_are_in_the_order_of_the_anchors():
    """A head without weights says of both anchors what its bias is, at every location."""
    rpn = network(maps=2)
    nn.init.zeros_(rpn.head.weight)
    rpn.head.bias.data = torch.arange(10.0)
    maps = [torch.randn(3, 4, 2, 2), torch.randn(3, 4, 1, 1)]
    result = rpn(maps, IMAGE)
    assert rpn.anchors_of(maps) == [8, 2]
    assert result.logits.shape == (3, 10) and result.anchors.shape == (10, 4)
    assert (result.logits[0].view(5, 2) == torch.tensor([4.0, 9.0])).all()
    assert (result.offsets[0].view(5, 2, 4) == torch.tensor([[0.0, 1, 2, 3], [5, 6, 7, 8]])).all()
    assert [part.logits.shape[1] for part in split_maps(result, [8, 2])] == [8, 2]


def test_proposals_are_ranked_and_apart():
    """The second overlaps the first by 0.8; the third is outside the image; the last comes before the fourth."""
    anchors = [[0, 0, 10, 10], [0, 0, 10, 8], [-20, 0, -10, 10], [20, 20, 30, 30], [10, 20, 20, 30]]
    found = network().propose(output([3.0, 2.0, 9.0, 0.5, 1.0], anchors), [5], IMAGE, count=4)
    assert found.valid.tolist() == [[True, True, True, False]]
    assert found.boxes[0].tolist() == [[0, 0, 10, 10], [10, 20, 20, 30], [20, 20, 30, 30], [0, 0, 0, 0]]


def test_fewer_proposals_are_the_first_ones():
    torch.manual_seed(0)
    rpn = network()
    result = rpn([torch.randn(2, 4, 6, 6)], IMAGE)
    many, few = (rpn.propose(result, [72], IMAGE, count) for count in (20, 7))
    assert torch.equal(many.boxes[:, :7], few.boxes)


def test_boxes_of_different_maps_do_not_suppress_each_other():
    twice = output([1.0, 2.0], [[0.0, 0, 10, 10], [0, 0, 10, 10]])
    rpn = network()
    assert rpn.propose(twice, [2], IMAGE, 2).valid.tolist() == [[True, False]]
    assert rpn.propose(twice, [1, 1], IMAGE, 2).valid.tolist() == [[True, True]]


def test_only_the_best_of_a_map_take_part():
    apart = output([1.0, 2.0, 3.0], [[0.0, 0, 9, 9], [10, 0, 19, 9], [20, 0, 29, 9]])
    found = network(max_per_map=2).propose(apart, [3], IMAGE, 3)
    assert found.boxes[0, :, 0].tolist() == [20, 10]


def test_what_is_not_a_number_passes_through():
    """A network that has diverged must say so by its loss, not by an error of some index."""
    torch.manual_seed(0)
    rpn, maps, one = network(), torch.randn(2, 4, 6, 6), target(0.0, 0.0, 16.0, 16.0)
    two = Targets(*(part.repeat_interleave(2, dim=0) for part in (one.boxes, one.labels, one.valid)))
    spoilt = torch.full_like(maps, torch.nan)
    for maps_of_step, weight in ((spoilt, 1.0), (maps, torch.nan)):
        rpn.head.weight.data *= weight
        result = rpn([maps_of_step], IMAGE)
        found = rpn.propose(result, [72], IMAGE, 5)
        assert (found.boxes[~found.valid] == 0).all()
        crops = roi_align([spoilt], found.boxes, pyramid_levels(found.boxes, (8,)), IMAGE, 7, 1)
        assert crops.isnan().all()
        assert rpn.losses(result, two)["rpn_objectness"].isnan()


def test_anchors_do_not_grow_with_the_padding():
    rpn, maps = network(), [torch.randn(1, 4, 8, 8)]
    small, large = rpn(maps, IMAGE).anchors, rpn(maps, (64, 64)).anchors
    assert_close(large[1, 2:] - large[1, :2], 2 * (small[1, 2:] - small[1, :2]))
    rpn.anchor_side = 32
    padded = rpn(maps, (64, 64)).anchors
    assert_close(padded[:, 2:] - padded[:, :2], small[:, 2:] - small[:, :2])
    assert_close((padded[:, 2:] + padded[:, :2]), (large[:, 2:] + large[:, :2]))


def test_no_gradient_flows_through_proposals():
    rpn = network()
    found = rpn.propose(rpn([torch.randn(1, 4, 2, 2)], IMAGE), [8], IMAGE, 5)
    assert not found.boxes.requires_grad


def test_losses_by_hand():
    """One anchor is the object moved by a tenth of its width, one is background, one (IoU 0.4) is ignored."""
    rpn = network()
    result = output([0.0, math.log(3), 50.0], [[0.0, 0, 10, 10], [20, 20, 30, 30], [1, 0, 11, 4]])
    losses = rpn.losses(result, target(1.0, 0.0, 11.0, 10.0))
    assert_close(losses["rpn_objectness"], torch.tensor((math.log(2) + math.log(4)) / 2))
    # An offset of 10 x 0.1 = 1 costs 0.5 of smooth L1, shared by the two sampled anchors.
    assert_close(losses["rpn_localization"], torch.tensor(0.25))


@pytest.mark.parametrize(("beta", "expected"), [(1.0, 0.5), (0.5, 0.75)])
def test_smooth_l1_becomes_linear_at_beta(beta, expected):
    rpn = network(beta=beta)
    losses = rpn.losses(output([0.0], [[0.0, 0, 10, 10]]), target(1.0, 0.0, 11.0, 10.0))
    assert_close(losses["rpn_localization"], torch.tensor(expected))


def test_without_objects_all_anchors_are_background():
    nothing = Targets(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.bool))
    losses = network().losses(output([0.0, 0.0], [[0.0, 0, 10, 10], [20, 20, 30, 30]]), nothing)
    assert losses["rpn_localization"] == 0
    assert_close(losses["rpn_objectness"], torch.tensor(math.log(2)))


def test_sampled_anchors_alone_have_a_gradient():
    """10 of 100 background anchors, drawn anew each time."""
    rpn = network(sampled=10)
    nothing = Targets(torch.zeros(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.bool))
    drawn = []
    for _ in range(2):
        logits = torch.zeros(1, 100, requires_grad=True)
        result = output([0.0] * 100, [[0.0, 0, 10, 10]] * 100)._replace(logits=logits)
        rpn.losses(result, nothing)["rpn_objectness"].backward()
        drawn.append(logits.grad != 0)
    assert [int(chosen.sum()) for chosen in drawn] == [10, 10]
    assert not torch.equal(*drawn)
