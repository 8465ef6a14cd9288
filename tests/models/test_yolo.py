"""YOLO's loss against values worked out by hand and against the paper's equation 3, written out in loops."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.yolo import YOLO, YOLOOutput, decode, encode
from tradeoffs.ops.grid import grid_cells
from tradeoffs.structures import Targets

CELLS = grid_cells((2, 2), (100, 100))


def make(grid_size: int = 2, **options) -> YOLO:
    stages = [nn.Conv2d(3, 4, kernel_size=16, stride=16), nn.Conv2d(4, 8, kernel_size=3, stride=2)]
    backbone = Backbone(stages, channels=[4, 8], strides=[16, 32])
    return YOLO(backbone, num_classes=2, grid_size=grid_size, channels=(8, 8, 8, 8), hidden=16, **options)


def one_image(boxes: list[list[float]], labels: list[int]) -> Targets:
    """Targets of one image, with a padded row."""
    padded = torch.tensor([*boxes, [0.0, 0, 0, 0]])[None]
    return Targets(padded, torch.tensor([[*labels, 0]]), torch.tensor([[True] * len(boxes) + [False]]))


def output_by_hand() -> YOLOOutput:
    """Box 0 of cell 0: 25 x 25 pixels centred at (25, 40); box 1: 25 x 9 on the same centre."""
    boxes = torch.full((1, 4, 2, 4), 0.1)
    boxes[0, 0] = torch.tensor([[0.5, 0.8, 0.5, 0.5], [0.5, 0.8, 0.5, 0.3]])
    confidences = torch.zeros(1, 4, 2)
    confidences[0, 0] = torch.tensor([0.4, 0.2])
    confidences[0, 3, 1] = -0.6
    return YOLOOutput(boxes, confidences, torch.tensor([0.9, 0.3]).expand(1, 4, 2), CELLS)


def test_every_term_by_hand():
    """An object of 25 x 36 pixels centred at (25, 40): roots 0.5 and 0.6, IoU 25 / 36 with box 0, 1 / 4 with box 1."""
    losses = make().criterion(output_by_hand(), one_image([[12.5, 22, 37.5, 58]], [1]))
    assert_close(losses["localization"], torch.tensor(5 * 0.1**2))
    assert_close(losses["objectness"], torch.tensor((0.4 - 25 / 36) ** 2))
    assert_close(losses["background"], torch.tensor(0.5 * (0.2**2 + 0.6**2)))
    assert_close(losses["classification"], torch.tensor(0.9**2 + 0.7**2))


def test_without_objects_only_the_background_counts():
    losses = make().criterion(output_by_hand(), one_image([], []))
    assert_close(losses.pop("background"), torch.tensor(0.5 * (0.4**2 + 0.2**2 + 0.6**2)))
    assert [float(value) for value in losses.values()] == [0, 0, 0]


def test_of_two_objects_in_a_cell_the_last_counts():
    first, last = [2.0, 2, 30, 44], [12.5, 22, 37.5, 58]
    both = make().criterion(output_by_hand(), one_image([first, last], [0, 1]))
    alone = make().criterion(output_by_hand(), one_image([last], [1]))
    assert both == alone


def test_an_object_in_the_last_corner_belongs_to_the_last_cell():
    """2 x 2 pixels centred at (99, 99); the cell's boxes are 1 x 1 pixels centred at (55, 55) and miss it."""
    losses = make().criterion(output_by_hand(), one_image([[98.0, 98, 100, 100]], [0]))
    place, root = 49 / 50, 0.02**0.5
    assert_close(losses["localization"], torch.tensor(5 * (2 * (place - 0.1) ** 2 + 2 * (root - 0.1) ** 2)))
    assert_close(losses["classification"], torch.tensor(0.1**2 + 0.3**2))
    assert_close(losses["objectness"], torch.tensor(0.0))


def test_negative_roots_are_sizes_and_are_pulled_up():
    output = output_by_hand()
    output.boxes[0, 0, :, 2:] *= -1
    boxes = output.boxes.requires_grad_()
    assert_close(decode(boxes, CELLS)[0, 0, 0], torch.tensor([12.5, 27.5, 37.5, 52.5]))
    losses = make().criterion(output, one_image([[12.5, 22, 37.5, 58]], [1]))
    sum(losses.values()).backward()
    assert boxes.grad.isfinite().all()
    assert (boxes.grad[0, 0, 0, 2:] < 0).all()


def test_two_negative_outputs_make_no_score():
    output = output_by_hand()._replace(classes=torch.tensor([-0.9, 1.5]).expand(1, 4, 2))
    scores = make().scores(output).view(4, 2, 2)
    assert_close(scores[3, 1], torch.zeros(2))
    assert_close(scores[0, 0], torch.tensor([0, 0.4]))


numbers = st.floats(0.015625, 1, width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=4, max_size=4))
def test_coordinates_round_trip(rows):
    coordinates = torch.tensor(rows)[:, None]
    assert_close(encode(decode(coordinates, CELLS), CELLS), coordinates, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_loss_equals_the_equation_in_loops(seed):
    torch.manual_seed(seed)
    model = make(grid_size=3)
    cells = grid_cells((3, 3), (90, 120))
    output = YOLOOutput(torch.randn(2, 9, 2, 4), torch.randn(2, 9, 2), torch.randn(2, 9, 2), cells)
    corners = torch.rand(2, 6, 2, 2) * torch.tensor([120.0, 90.0])
    boxes = corners.sort(dim=2).values.flatten(2)
    targets = Targets(boxes, torch.randint(0, 2, (2, 6)), torch.rand(2, 6) < 0.7)
    losses = model.criterion(output, targets)
    assert_close(torch.stack(list(losses.values())), torch.tensor(equation_3(output, targets, 3, 90, 120)) / 2)


def equation_3(output: YOLOOutput, targets: Targets, side: int, height: int, width: int) -> list[float]:
    """The sums over images of the terms: coordinates, confidence with and without object, classes."""
    terms = [0.0] * 4
    for image in range(len(output.boxes)):
        objects: dict[int, int] = {}
        for number, (left, top, right, bottom) in enumerate(targets.boxes[image].tolist()):
            if targets.valid[image, number]:
                row, column = int((top + bottom) / 2 / height * side), int((left + right) / 2 / width * side)
                objects[row * side + column] = number
        for cell in range(side * side):
            confidences = output.confidences[image, cell].tolist()
            if cell not in objects:
                terms[2] += 0.5 * sum(value**2 for value in confidences)
                continue
            left, top, right, bottom = targets.boxes[image, objects[cell]].tolist()
            overlaps = []
            for x, y, root_w, root_h in output.boxes[image, cell].tolist():
                center_x, center_y = (cell % side + x) / side * width, (cell // side + y) / side * height
                w, h = root_w**2 * width, root_h**2 * height
                across = min(right, center_x + w / 2) - max(left, center_x - w / 2)
                down = min(bottom, center_y + h / 2) - max(top, center_y - h / 2)
                common = max(across, 0) * max(down, 0)
                overlaps.append(common / ((right - left) * (bottom - top) + w * h - common))
            best = overlaps.index(max(overlaps))
            x, y, root_w, root_h = output.boxes[image, cell, best].tolist()
            terms[0] += 5 * (x - ((left + right) / 2 / width * side - cell % side)) ** 2
            terms[0] += 5 * (y - ((top + bottom) / 2 / height * side - cell // side)) ** 2
            terms[0] += 5 * (root_w - ((right - left) / width) ** 0.5) ** 2
            terms[0] += 5 * (root_h - ((bottom - top) / height) ** 0.5) ** 2
            for box, confidence in enumerate(confidences):
                if box == best:
                    terms[1] += (confidence - overlaps[box]) ** 2
                else:
                    terms[2] += 0.5 * confidence**2
            probabilities = output.classes[image, cell].tolist()
            probabilities[int(targets.labels[image, objects[cell]])] -= 1
            terms[3] += sum(error**2 for error in probabilities)
    return terms


@pytest.mark.parametrize("size", [(96, 96), (113, 161)])
def test_any_image_size_gives_the_same_grid(size):
    output = make(grid_size=7)(torch.zeros(2, 3, *size, dtype=torch.uint8))
    assert output.boxes.shape == (2, 49, 2, 4)
    assert output.cells[-1, 2:].tolist() == pytest.approx([size[1], size[0]])


def test_the_paper_sizes_on_448_pixels():
    """Stride 32 gives 14 x 14, the halving convolution 7 x 7, so the pooling changes nothing (figure 3)."""
    stages = [nn.Conv2d(3, 4, kernel_size=32, stride=32)]
    model = YOLO(Backbone(stages, channels=[4], strides=[32]), num_classes=20, channels=(4, 4, 4, 4), hidden=8)
    convolutions, pooling = model.neck[:4], model.neck[4]
    with torch.no_grad():
        x = convolutions(model.backbone(torch.zeros(2, 3, 448, 448, dtype=torch.uint8))[-1])
    assert x.shape[-2:] == (7, 7)
    assert torch.equal(pooling(x), x)
    assert model.heads[0].out_features == 7 * 7 * 30


def test_a_good_box_is_found_in_pixels():
    output = output_by_hand()
    output.boxes[0, 0, 0] = encode(torch.tensor([12.5, 22, 37.5, 58]).expand(4, 1, 4), CELLS)[0, 0]
    model = make(score_threshold=0.3)
    found = model.postprocess(output, (100, 100))
    assert found.valid.tolist() == [[True] + [False] * (found.valid.shape[1] - 1)]
    assert_close(found.boxes[0, 0], torch.tensor([12.5, 22, 37.5, 58]))
    assert_close(found.scores[0, 0], torch.tensor(0.36))
    assert found.labels[0, 0] == 0
    assert model.num_candidates(output).tolist() == [1]
