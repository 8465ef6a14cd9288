import math

import pytest
import torch
from torch.testing import assert_close

from tradeoffs.ops.anchors import Shapes, default_boxes, linear_shapes, scaled_shapes, ssd300_shapes
from tradeoffs.ops.boxes import to_centers


def tensors(shapes: Shapes) -> list[torch.Tensor]:
    return [torch.tensor(boxes) for boxes in shapes]


def test_shapes_by_hand():
    (shapes,) = scaled_shapes([0.2, 0.45], [(4,)])
    assert_close(torch.tensor(shapes), torch.tensor([(0.2, 0.2), (0.3, 0.3), (0.4, 0.1), (0.1, 0.4)]))


def test_mobilenet_at_300_has_the_1917_boxes_of_the_object_detection_api():
    sizes = [(19, 19), (10, 10), (5, 5), (3, 3), (2, 2), (1, 1)]
    boxes = default_boxes(sizes, (300, 300), tensors(linear_shapes(6)))
    assert boxes.shape == (1917, 4)
    _, first = to_centers(boxes[0])
    assert_close(first, torch.tensor([30.0, 30.0]))
    _, last = to_centers(boxes[-5])
    assert_close(last, torch.full((2,), 300 * math.sqrt(0.95)))


def test_ssd300_has_8732_boxes():
    sizes = [(38, 38), (19, 19), (10, 10), (5, 5), (3, 3), (1, 1)]
    assert len(default_boxes(sizes, (300, 300), tensors(ssd300_shapes()))) == 8732


def test_boxes_are_ordered_by_row_then_column_then_shape():
    boxes = default_boxes([(2, 3)], (40, 60), tensors([[(0.1, 0.1), (0.5, 0.25)]]))
    centers, sizes = to_centers(boxes)
    assert_close(centers[::2], torch.tensor([[10.0, 10], [30, 10], [50, 10], [10, 30], [30, 30], [50, 30]]))
    assert_close(sizes[:2], torch.tensor([[6.0, 4], [30, 10]]))


def test_steps_place_boxes_by_pixels():
    boxes = default_boxes([(1, 2)], (40, 60), tensors([[(0.1, 0.1)]]), steps=[8])
    assert_close(to_centers(boxes)[0], torch.tensor([[4.0, 4], [12, 4]]))


@pytest.mark.parametrize("maps", [1, 2, 7])
def test_any_number_of_maps(maps):
    assert [len(boxes) for boxes in linear_shapes(maps)] == [3] + [6] * (maps - 1)
