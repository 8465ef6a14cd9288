import math

import torch
from torch.testing import assert_close

from tradeoffs.ops.points import centerness, match_points, to_boxes

BOX = torch.tensor([[10.0, 20, 30, 60]])


def match(boxes: list[list[float]], points: list[list[float]], radius: float = 99, least: float = 0, most=math.inf):
    points, boxes = torch.tensor(points), torch.tensor([boxes])
    ranges = torch.tensor([[float(least), most]]).expand(len(points), 2)
    valid = torch.ones(boxes.shape[:2], dtype=torch.bool)
    return match_points(boxes, valid, points, torch.full((len(points),), float(radius)), ranges).tolist()


def test_distances_to_the_four_sides():
    assert_close(to_boxes(torch.tensor([[2.0, 5, 18, 35]]), torch.tensor([[12.0, 25]])), BOX)


def test_centerness_by_hand():
    """In the middle; a quarter of the width from the left (5 : 15); and at the side."""
    points = torch.tensor([[20.0, 40], [15, 40], [10, 40]])
    assert_close(centerness(BOX.expand(3, 4), points), torch.tensor([1, math.sqrt(1 / 3), 0]))


def test_points_inside_belong_to_the_object():
    points = [[20.0, 40], [11, 21], [10, 40], [31, 40], [20, 61]]
    assert match(BOX.tolist(), points) == [[0, 0, -1, -1, -1]]


def test_only_points_near_the_center():
    points = [[20.0, 40], [20, 47.5], [20, 48], [12, 40], [13, 33]]
    assert match(BOX.tolist(), points, radius=8) == [[0, 0, -1, -1, 0]]


def test_only_objects_whose_farthest_side_is_in_the_range_of_the_map():
    """From the centre the farthest side is at 20 pixels, from (20, 30) at 30."""
    points = [[20.0, 40], [20, 30]]
    assert match(BOX.tolist(), points, most=30) == [[0, -1]]
    assert match(BOX.tolist(), points, least=20) == [[-1, 0]]


def test_the_smallest_of_several_objects():
    assert match([[0.0, 0, 99, 99], *BOX.tolist(), [5, 5, 80, 80]], [[20.0, 40], [9, 40], [90, 90]]) == [[1, 2, 0]]


def test_padding_is_no_object():
    boxes, points = BOX.expand(2, 2, 4), torch.tensor([[20.0, 40]])
    valid = torch.tensor([[False, True], [False, False]])
    ranges = torch.tensor([[0.0, math.inf]])
    assert match_points(boxes, valid, points, torch.tensor([9.0]), ranges).tolist() == [[1], [-1]]
