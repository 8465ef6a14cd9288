import math

import pytest
import torch
from torch.testing import assert_close
from torchvision.ops import ps_roi_align

from tradeoffs.ops.position_sensitive import axis_weights, position_sensitive_vote


def random_boxes(images: int, count: int, image_size: tuple[int, int]) -> torch.Tensor:
    corners = torch.rand(images, count, 2, 2).sort(dim=2).values
    return (corners * torch.tensor([image_size[1], image_size[0]])).flatten(2)


def literal(maps, boxes, image_size, bins, crop_size):
    """The definition, point by point."""
    rows, columns = maps.shape[-2:]
    votes = torch.zeros(*boxes.shape[:2], maps.shape[1] // bins**2)
    samples = crop_size // bins
    for b, p, c in torch.cartesian_prod(*map(torch.arange, votes.shape)).tolist():
        left, top, right, bottom = boxes[b, p].tolist()
        for i, j, u, v in torch.cartesian_prod(*map(torch.arange, (bins, bins, samples, samples))).tolist():
            y = top + (i + (u + 0.5) / samples) * (bottom - top) / bins
            x = left + (j + (v + 0.5) / samples) * (right - left) / bins
            channel = maps[b, (c * bins + i) * bins + j]
            votes[b, p, c] += bilinear(channel, y * rows / image_size[0] - 0.5, x * columns / image_size[1] - 0.5)
    return votes / crop_size**2


def bilinear(channel, y, x):
    """Between the centres of pixels, which lie at whole numbers; beyond the border the last pixel goes on."""
    rows, columns = channel.shape
    y, x = min(max(y, 0.0), rows - 1), min(max(x, 0.0), columns - 1)
    below, right = min(math.floor(y) + 1, rows - 1), min(math.floor(x) + 1, columns - 1)
    dy, dx = y - math.floor(y), x - math.floor(x)
    upper = (1 - dx) * channel[math.floor(y), math.floor(x)] + dx * channel[math.floor(y), right]
    lower = (1 - dx) * channel[below, math.floor(x)] + dx * channel[below, right]
    return float((1 - dy) * upper + dy * lower)


def test_each_part_of_a_box_looks_at_its_own_map_and_place():
    """Four parts of 2 x 2 pixels; all that no part should look at is 100."""
    maps = torch.full((1, 4, 4, 4), 100.0)
    maps[0, 0, :2, :2], maps[0, 1, :2, 2:] = 1, 2
    maps[0, 2, 2:, :2], maps[0, 3, 2:, 2:] = 3, 5
    votes = position_sensitive_vote(maps, torch.tensor([[[0.0, 0, 40, 80]]]), (80, 40), bins=2, crop_size=4)
    assert votes.item() == pytest.approx((1 + 2 + 3 + 5) / 4)


def test_columns_of_the_result_have_maps_of_their_own():
    maps = torch.arange(8.0).view(1, 8, 1, 1).expand(1, 8, 3, 3)
    votes = position_sensitive_vote(maps, torch.tensor([[[1.0, 1, 2, 2]]]), (3, 3), bins=2, crop_size=2)
    assert_close(votes, torch.tensor([[[1.5, 5.5]]]))


@pytest.mark.parametrize(("bins", "crop_size"), [(3, 12), (7, 7), (1, 2)])
def test_it_is_the_definition(bins, crop_size):
    """On maps that are not as large as image size / stride, and differ in that between the axes."""
    torch.manual_seed(0)
    maps, boxes = torch.randn(2, 2 * bins**2, 5, 7), random_boxes(2, 3, (96, 110))
    votes = position_sensitive_vote(maps, boxes, (96, 110), bins, crop_size)
    assert_close(votes, literal(maps, boxes, (96, 110), bins, crop_size), atol=1e-5, rtol=1e-4)


def test_it_equals_torchvision_in_votes_and_gradients():
    torch.manual_seed(0)
    maps, boxes = torch.randn(2, 5 * 49, 9, 9, requires_grad=True), random_boxes(2, 20, (144, 144))
    rois = torch.cat([torch.arange(2).repeat_interleave(20)[:, None], boxes.flatten(0, 1) / 16], dim=1)
    theirs = ps_roi_align(maps, rois, 7, sampling_ratio=3).mean(dim=(2, 3)).view(2, 20, 5)
    ours = position_sensitive_vote(maps, boxes, (144, 144), bins=7, crop_size=21)
    assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    weights = torch.randn_like(ours)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), maps)
    (gradient,) = torch.autograd.grad((ours * weights).sum(), maps)
    assert_close(gradient, expected, atol=1e-5, rtol=1e-4)


def test_no_gradient_flows_to_the_boxes():
    boxes = random_boxes(1, 2, (32, 32)).requires_grad_()
    assert not position_sensitive_vote(torch.randn(1, 4, 2, 2), boxes, (32, 32), bins=2, crop_size=4).requires_grad


def test_a_box_without_area_takes_one_point():
    maps = torch.arange(16.0).view(1, 1, 4, 4)
    votes = position_sensitive_vote(maps, torch.tensor([[[2.5, 1.5, 2.5, 1.5]]]), (4, 4), bins=1, crop_size=3)
    assert votes.item() == pytest.approx(maps[0, 0, 1, 2].item())


def test_weights_along_an_axis_by_hand():
    """From 0.5 to 2.5 in two parts of one point each, at 1.0 and 2.0: between the centres of pixels."""
    weights = axis_weights(torch.tensor([[0.5]]), torch.tensor([[2.5]]), size=4, bins=2, crop_size=2)
    assert_close(weights[0, 0], torch.tensor([[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]]))


def test_what_is_not_a_number_stays_none():
    maps, boxes = torch.randn(1, 8, 4, 4), random_boxes(1, 3, (32, 32))
    boxes[0, 1, 2] = torch.nan
    votes = position_sensitive_vote(maps, boxes, (32, 32), bins=2, crop_size=4)
    assert votes[0, 1].isnan().all() and votes[0, [0, 2]].isfinite().all()
    assert position_sensitive_vote(maps * torch.nan, boxes, (32, 32), bins=2, crop_size=4).isnan().all()


def test_bfloat16_maps_give_bfloat16_votes():
    torch.manual_seed(0)
    maps, boxes = torch.randn(2, 2 * 9, 6, 6), random_boxes(2, 20, (96, 96))
    votes = position_sensitive_vote(maps.bfloat16(), boxes, (96, 96), bins=3, crop_size=12)
    assert votes.dtype == torch.bfloat16
    assert_close(votes.float(), position_sensitive_vote(maps, boxes, (96, 96), 3, 12), atol=2e-2, rtol=2e-2)
