import math

import pytest
import torch
from torch.testing import assert_close
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from tradeoffs.ops.anchors import (
    Shapes,
    anchor_shapes,
    default_boxes,
    geometric_sizes,
    linear_shapes,
    scaled_shapes,
    sliding_anchors,
    ssd300_shapes,
)
from tradeoffs.ops.box_coding import encode
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


def test_anchor_shapes_by_hand():
    """Twice as high as wide at a ratio of 4; all sizes of a ratio come together."""
    shapes = anchor_shapes([0.2, 0.5], ratios=(1, 4))
    assert_close(torch.tensor(shapes), torch.tensor([(0.2, 0.2), (0.5, 0.5), (0.1, 0.4), (0.25, 1.0)]))


def test_sizes_grow_by_the_same_factor():
    assert geometric_sizes(0.04, 0.64, 5) == pytest.approx([0.04, 0.08, 0.16, 0.32, 0.64])
    assert geometric_sizes(0.25, 1.0, 1) == [0.25]


def test_sliding_anchors_start_at_the_corner_and_are_rounded():
    """A map of 2 x 3 on 32 x 60 px: 16 px between rows, 20 between columns; 0.29 of 32 px is 9.28, half of it 5."""
    anchors = sliding_anchors([(2, 3)], (32, 60), tensors([[(0.5, 0.29), (1.0, 1.0)]]))
    assert anchors[:4].tolist() == [[-8, -5, 8, 5], [-16, -16, 16, 16], [12, -5, 28, 5], [4, -16, 36, 16]]
    assert anchors[6].tolist() == [-8, 11, 8, 21]


def test_sliding_anchors_equal_torchvision():
    sizes = [(16, 24), (8, 12), (4, 6)]
    generator = AnchorGenerator(((32,), (64,), (128,)), ((0.5, 1.0, 2.0),) * 3)
    images = ImageList(torch.zeros(1, 3, 128, 192), [(128, 192)])
    expected = generator(images, [torch.zeros(1, 1, *size) for size in sizes])[0]
    shapes = [anchor_shapes([size / 128]) for size in (32, 64, 128)]
    assert torch.equal(sliding_anchors(sizes, (128, 192), tensors(shapes)), expected)


def test_anchors_of_small_images_have_a_size():
    """On 32 px the smallest of Faster R-CNN's pyramid would be 1.28 px wide, and half of the low one's height zero."""
    shapes = anchor_shapes([32 / 800])
    anchors = sliding_anchors([(8, 8)], (32, 32), tensors([shapes]))
    sides = anchors[:, 2:] - anchors[:, :2]
    assert (sides >= 2).all()
    assert encode(anchors, anchors).isfinite().all()


def test_padding_does_not_make_anchors_larger():
    """The places follow the padded image, the sizes a number of pixels."""
    shapes = tensors([[(0.5, 0.25)]])
    sizes = (4, 6)
    padded = sliding_anchors([sizes], (64, 96), shapes, side=32)
    assert padded[0].tolist() == [-8, -4, 8, 4] and padded[1].tolist() == [8, -4, 24, 4]
    assert torch.equal(sliding_anchors([sizes], (64, 96), shapes), sliding_anchors([sizes], (64, 96), shapes, 64))
    centers, extents = to_centers(default_boxes([sizes], (64, 96), shapes, side=32))
    assert (extents == torch.tensor([16.0, 8.0])).all()
    assert torch.equal(centers, to_centers(default_boxes([sizes], (64, 96), shapes))[0])
