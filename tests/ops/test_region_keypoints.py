"""Joints as pixels of a map over a box, by hand and as torchvision has them."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.models.detection.roi_heads import heatmaps_to_keypoints, keypoints_to_heatmap

from tradeoffs.ops import region_keypoints
from tradeoffs.ops.region_keypoints import bicubic, peaks_in_boxes, pixels_of_joints

SIDE = 56


def smooth_maps(count: int, joints: int = 5) -> torch.Tensor:
    """As a network makes them: enlarged by two."""
    coarse = 3 * torch.randn(count, joints, SIDE // 2, SIDE // 2, generator=torch.Generator().manual_seed(0))
    return F.interpolate(coarse, scale_factor=2, mode="bilinear")


def random_boxes(count: int, largest: float) -> torch.Tensor:
    corners = largest * torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(1))
    return torch.cat([corners[:, 0], corners[:, 0] + corners[:, 1]], dim=1)


def test_pixels_of_joints_by_hand():
    """A box of 20 x 40 pixels as 10 x 10."""
    box = torch.tensor([10.0, 10, 30, 50])
    joints = torch.tensor([[10.0, 10, 2], [29, 20, 1], [30, 50, 2], [15, 30, 0], [9, 30, 2], [20, 50.1, 2]])
    places, counts = pixels_of_joints(joints, box, 10)
    assert places.tolist() == [0, 29, 99, 0, 0, 0]
    assert counts.tolist() == [True, True, True, False, False, False]


def test_pixels_of_joints_are_torchvisions():
    boxes = random_boxes(40, 60).unflatten(0, (8, 5))
    generator = torch.Generator().manual_seed(2)
    low, high = boxes.unflatten(-1, (2, 2))[:, :, None].unbind(dim=3)
    points = low + (high - low) * (1.4 * torch.rand(8, 5, 7, 2, generator=generator) - 0.2)
    joints = torch.cat([points, torch.randint(0, 3, (8, 5, 7, 1), generator=generator)], dim=-1)
    places, counts = pixels_of_joints(joints, boxes, SIDE)
    wanted, valid = keypoints_to_heatmap(joints.flatten(0, 1), boxes.flatten(0, 1), SIDE)
    assert torch.equal(places.flatten(0, 1), wanted) and torch.equal(counts.flatten(0, 1), valid.bool())
    assert 0.2 < counts.float().mean() < 0.6


def test_a_box_without_size_has_no_joints():
    _, counts = pixels_of_joints(torch.tensor([[5.0, 9, 2]]), torch.tensor([5.0, 5, 5, 5]), SIDE)
    assert not counts.any()


@pytest.mark.parametrize("largest", [3, 30, 300])
@pytest.mark.parametrize("at_once", [1, 2**30])
def test_peaks_are_torchvisions(largest, at_once, monkeypatch):
    """One by one and all together; but for maps with two peaks that are equally high to rounding."""
    monkeypatch.setitem(region_keypoints.AT_ONCE, "cpu", at_once)
    maps, boxes = smooth_maps(12), random_boxes(12, largest)
    points, values = peaks_in_boxes(maps, boxes)
    wanted, scores = heatmaps_to_keypoints(maps, boxes)
    assert_close(values, scores, atol=1e-4, rtol=1e-5)
    assert torch.isclose(points, wanted[..., :2], atol=1e-2).all(dim=-1).float().mean() > 0.98


def test_a_peak_by_hand():
    """A map of 4 x 4 over as many pixels is itself: the third pixel of the second row of a box at 10, 20."""
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 1, 2] = 5
    points, values = peaks_in_boxes(maps, torch.tensor([[10.0, 20, 14, 24]]))
    assert_close(points, torch.tensor([[[12.5, 21.5]]]))
    assert_close(values, torch.tensor([[5.0]]))


def test_no_boxes_have_no_peaks():
    points, values = peaks_in_boxes(torch.zeros(0, 3, SIDE, SIDE), torch.zeros(0, 4))
    assert points.shape == (0, 3, 2) and values.shape == (0, 3)


def test_bicubic_weights_sum_to_one():
    places = torch.linspace(0, 1, 9)[:, None] - torch.arange(-1, 3)
    assert_close(bicubic(places).sum(dim=1), torch.ones(9))
    assert bicubic(torch.tensor([0.0, 1, 2, 3])).tolist() == [1, 0, 0, 0]
