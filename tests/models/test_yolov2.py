"""YOLOv2's loss against values worked out by hand, and its gradients against those of the authors' code, in loops."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.yolov2 import YOLOv2, YOLOv2Output, decode, fold
from tradeoffs.ops.grid import grid_cells, to_grid
from tradeoffs.structures import Targets

CELLS = grid_cells((2, 2), (100, 100))
ANCHORS = [[0.2, 0.2], [0.6, 0.4]]
OBJECT = [10.0, 30, 40, 50]  # centred at (25, 40) in cell 0; its shape is most like that of anchor 0


def make(anchors=ANCHORS, padding: int = 1, strides: tuple[int, ...] = (16, 32), **options) -> YOLOv2:
    """On a backbone whose last stage has stride 2 and rounds sizes up (padding 1) or down (0)."""
    stages = [nn.Conv2d(3, 4, kernel_size=16, stride=16), nn.Conv2d(4, 8, kernel_size=3, stride=2, padding=padding)]
    stages += [nn.Conv2d(8, 8, kernel_size=1) for _ in strides[2:]]
    backbone = Backbone(stages, channels=[4, 8, 8][: len(strides)], strides=strides)
    return YOLOv2(backbone, num_classes=2, anchors=anchors, width=8, passthrough=4, **options)


def one_image(boxes: list[list[float]], labels: list[int]) -> Targets:
    """Targets of one image, with a padded row."""
    padded = torch.tensor([*boxes, [0.0, 0, 0, 0]])[None]
    return Targets(padded, torch.tensor([[*labels, 0]]), torch.tensor([[True] * len(boxes) + [False]]))


def output_by_hand() -> YOLOv2Output:
    """Boxes are their anchors, but anchor 1 of cell 0 gives the very box of OBJECT. Objectness is a half but once."""
    offsets = torch.zeros(1, 4, 2, 4)
    offsets[0, 0, 1] = torch.tensor([0, math.log(4), -math.log(2), -math.log(2)])
    objectness = torch.zeros(1, 4, 2)
    objectness[0, 0, 0] = math.log(3)  # a probability of 3 / 4
    return YOLOv2Output(offsets, objectness, torch.tensor([math.log(3), 0]).expand(1, 4, 2, 2), CELLS)


def test_every_term_by_hand():
    """Anchor 0 of cell 0 says 20 x 20 pixels at (25, 25) of the object of 30 x 20 at (25, 40): an IoU of 1 / 9."""
    losses = make().criterion(output_by_hand(), one_image([OBJECT], [0]))
    log2 = math.log(2)
    assert_close(losses["localization"], torch.tensor((2 - 0.3 * 0.2) * (2 * log2 + 0.5 * math.log(1.5) ** 2)))
    assert_close(losses["objectness"], torch.tensor(-5 * (math.log(3 / 4) / 9 + math.log(1 / 4) * 8 / 9)))
    assert_close(losses["background"], torch.tensor(6 * log2))  # of 8 one is the object's, one overlaps it
    assert_close(losses["classification"], torch.tensor(-math.log(3 / 4)))


def test_an_anchor_that_overlaps_too_little_is_background():
    """Anchor 1 of cell 0 has an IoU of 1 with the object, which is not above 1."""
    losses = make(ignore_threshold=1.0).criterion(output_by_hand(), one_image([OBJECT], [0]))
    assert_close(losses["background"], torch.tensor(7 * math.log(2)))


def test_without_objects_only_the_background_counts():
    losses = make().criterion(output_by_hand(), one_image([], []))
    assert_close(losses.pop("background"), torch.tensor(7 * math.log(2) + math.log(4)))
    assert [float(value) for value in losses.values()] == [0, 0, 0]


def test_two_objects_in_a_cell_have_an_anchor_each():
    owners = make().owners(output_by_hand(), one_image([OBJECT, [0.0, 5, 55, 45]], [0, 1]))
    assert owners.tolist() == [[0, 1, -1, -1, -1, -1, -1, -1]]


def test_of_two_objects_of_one_shape_in_a_cell_the_last_counts():
    owners = make().owners(output_by_hand(), one_image([OBJECT, [5.0, 30, 35, 50]], [0, 1]))
    assert owners.tolist() == [[1, -1, -1, -1, -1, -1, -1, -1]]


def test_an_object_in_the_last_corner_belongs_to_the_last_cell():
    targets = one_image([[98.0, 98, 100, 100]], [0])
    assert make().owners(output_by_hand(), targets).tolist() == [[-1, -1, -1, -1, -1, -1, 0, -1]]
    assert all(loss.isfinite() for loss in make().criterion(output_by_hand(), targets).values())


numbers = st.floats(-3, 3, width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=8, max_size=8))
def test_decoded_boxes_hold_what_was_said(rows):
    offsets, anchors = torch.tensor(rows).view(4, 2, 4), torch.tensor(ANCHORS)
    places, sizes = to_grid(decode(offsets, CELLS, anchors), CELLS)
    assert_close(places.logit(), offsets[..., :2], atol=1e-3, rtol=1e-3)
    assert_close((sizes / anchors).log(), offsets[..., 2:], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_gradients_are_those_of_the_region_layer(seed):
    torch.manual_seed(seed)
    anchors = [[0.1, 0.1], [0.2, 0.5], [0.6, 0.4]]
    parts = [torch.randn(2, 6, 3, 4), torch.randn(2, 6, 3), torch.randn(2, 6, 3, 2)]
    output = YOLOv2Output(*(part.requires_grad_() for part in parts), grid_cells((2, 3), (80, 120)))
    corners = torch.rand(2, 8, 2, 2) * torch.tensor([120.0, 80.0])
    boxes = corners.sort(dim=2).values.flatten(2)
    targets = Targets(boxes, torch.randint(0, 2, (2, 8)), torch.rand(2, 8) < 0.7)
    # A low threshold, so that some anchors are ignored.
    sum(make(anchors, ignore_threshold=0.2).criterion(output, targets).values()).backward()
    for part, delta in zip(parts, region_layer(output, targets, anchors, (2, 3), (80, 120), 0.2), strict=True):
        assert_close(part.grad, -delta / 2, atol=1e-5, rtol=1e-4)


def region_layer(output, targets, anchors, grid, image_size, threshold) -> tuple[torch.Tensor, ...]:
    """What is wanted less what was predicted, weighted, object after object as in Darknet's region layer."""
    (rows, columns), (height, width) = grid, image_size
    offsets, objectness, logits = (part.detach() for part in output[:3])
    deltas = torch.zeros_like(offsets), torch.zeros_like(objectness), torch.zeros_like(logits)

    def box(image: int, cell: int, anchor: int) -> tuple[float, ...]:
        x, y, w, h = offsets[image, cell, anchor]
        center_x = (cell % columns + x.sigmoid()) / columns * width
        center_y = (cell // columns + y.sigmoid()) / rows * height
        half_w, half_h = w.exp() * anchors[anchor][0] * width / 2, h.exp() * anchors[anchor][1] * height / 2
        return center_x - half_w, center_y - half_h, center_x + half_w, center_y + half_h

    for image in range(len(offsets)):
        objects = [number for number in range(len(targets.valid[image])) if targets.valid[image, number]]
        truths = {number: targets.boxes[image, number].tolist() for number in objects}
        for cell in range(rows * columns):
            for anchor in range(len(anchors)):
                best = max((overlap(box(image, cell, anchor), truth) for truth in truths.values()), default=0)
                if best <= threshold:
                    deltas[1][image, cell, anchor] = -objectness[image, cell, anchor].sigmoid()
        for number, (left, top, right, bottom) in truths.items():
            x, y = (left + right) / 2 / width * columns, (top + bottom) / 2 / height * rows
            w, h = (right - left) / width, (bottom - top) / height
            cell = int(y) * columns + int(x)
            shapes = [overlap((-w / 2, -h / 2, w / 2, h / 2), (-a / 2, -b / 2, a / 2, b / 2)) for a, b in anchors]
            anchor = shapes.index(max(shapes))
            slot = image, cell, anchor
            said = offsets[slot]
            wanted = torch.tensor([x % 1, y % 1, math.log(w / anchors[anchor][0]), math.log(h / anchors[anchor][1])])
            deltas[0][slot] = (2 - w * h) * (wanted - torch.cat([said[:2].sigmoid(), said[2:]]))
            deltas[1][slot] = 5 * (overlap(box(*slot), truths[number]) - objectness[slot].sigmoid())
            deltas[2][slot] = -logits[slot].softmax(dim=0)
            deltas[2][slot][targets.labels[image, number]] += 1
    return deltas


def overlap(a, b) -> float:
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(float(across), 0) * max(float(down), 0)
    return common / float((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


def test_fold_keeps_pixels_together_and_cuts_or_fills_the_border():
    fine, coarse = torch.arange(25.0).view(1, 1, 5, 5), torch.zeros(1, 7, 2, 3)
    folded = fold(fine, coarse)
    assert folded.shape == (1, 4, 2, 3)
    assert folded[0, :, 0, 0].tolist() == [0, 1, 5, 6]
    assert folded[0, :, 1, 2].tolist() == [14, 0, 19, 0]  # a column was filled, the last row cut


@pytest.mark.parametrize(("padding", "cells"), [(1, 3 * 4), (0, 2 * 3)])
def test_odd_sizes(padding, cells):
    """Maps of 5 x 7 before and 3 x 4 (rounded up) or 2 x 3 (rounded down) after the last halving."""
    output = make(padding=padding)(torch.zeros(2, 3, 80, 112, dtype=torch.uint8))
    assert output.objectness.shape == (2, cells, 2)
    assert_close(output.cells[-1, 2:], torch.tensor([112.0, 80.0]))


def test_stages_that_share_a_stride():
    """The richest map of the last stride is read, and the passthrough comes from the map of half that stride."""
    model = make(strides=(8, 16, 16))
    assert (model.fine, model.coarse) == (0, 2)
    assert model(torch.zeros(2, 3, 96, 96, dtype=torch.uint8)).objectness.shape == (2, 9, 2)


def test_a_good_box_is_found_in_pixels():
    output = output_by_hand()
    output.objectness[:] = -9.0
    output.objectness[0, 0, 1] = 9.0
    found = make(score_threshold=0.5).postprocess(output, (100, 100))
    assert int(found.valid.sum()) == 1
    assert_close(found.boxes[0, 0], torch.tensor(OBJECT))
    assert_close(found.scores[0, 0], torch.tensor(0.75), atol=1e-3, rtol=0)
    assert found.labels[0, 0] == 0


def test_no_size_is_infinite():
    boxes = decode(torch.full((4, 2, 4), 1e4), CELLS, torch.tensor(ANCHORS))
    assert boxes.isfinite().all()
