import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from tradeoffs.ops.boxes import from_centers, iou
from tradeoffs.ops.grid import cell_of, from_grid, grid_cells, shape_iou, to_grid

SIZE = (40, 60)  # height, width
CELLS = grid_cells((2, 3), SIZE)


def test_cells_by_hand():
    expected = [[0, 0, 20, 20], [20, 0, 40, 20], [40, 0, 60, 20], [0, 20, 20, 40], [20, 20, 40, 40], [40, 20, 60, 40]]
    assert CELLS.tolist() == expected


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        ([0, 0, 2, 2], 0),
        ([10, 0, 30, 10], 1),  # centred on the line between two columns: the right one
        ([0, 10, 60, 30], 4),  # the whole width, centred on the line between the rows: the lower one
        ([58, 38, 60, 40], 5),  # in the last corner
        ([60, 40, 60, 40], 5),  # a point on the last corner
    ],
)
def test_cell_of_a_box(box, cell):
    assert cell_of(torch.tensor([[box]], dtype=torch.float32), CELLS).tolist() == [[cell]]


@pytest.mark.parametrize("grid", [(1, 1), (7, 7), (19, 13)])
def test_centres_lie_in_the_cell_found(grid):
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(4, 50, 2, 2, generator=generator) * torch.tensor([333.0, 200.0])
    boxes = corners.sort(dim=2).values.flatten(2)
    cells = grid_cells(grid, (200, 333))
    own = cells[cell_of(boxes, cells)]
    centers = (boxes[..., :2] + boxes[..., 2:]) / 2
    assert (own[..., :2] <= centers + 1e-3).all() and (centers <= own[..., 2:] + 1e-3).all()


def test_places_and_sizes_by_hand():
    boxes = torch.tensor([0.0, 10, 30, 20]).expand(6, 1, 4)  # centred at (15, 15)
    places, sizes = to_grid(boxes, CELLS)
    assert_close(places[0, 0], torch.tensor([0.75, 0.75]))
    assert_close(places[4, 0], torch.tensor([-0.25, -0.25]))  # seen from another cell
    assert_close(sizes[0, 0], torch.tensor([0.5, 0.25]))


numbers = st.floats(0, 1, width=32)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=6, max_size=6))
def test_grid_coordinates_round_trip(rows):
    coordinates = torch.tensor(rows)[:, None]
    boxes = from_grid(coordinates[..., :2], coordinates[..., 2:], CELLS)
    places, sizes = to_grid(boxes, CELLS)
    assert_close(places, coordinates[..., :2], atol=1e-5, rtol=1e-5)
    assert_close(sizes, coordinates[..., 2:], atol=1e-5, rtol=1e-5)


def test_iou_of_shapes_is_that_of_boxes_on_one_centre():
    a, b = torch.tensor([[2.0, 1.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [6.0, 4.0], [2.0, 1.0]])
    assert_close(shape_iou(a, b)[0], torch.tensor([1 / 3, 1 / 12, 1.0]))
    center = torch.tensor([[5.0, 7.0]])
    boxes = (from_centers(center.expand_as(sizes), sizes) for sizes in (a, b))
    assert_close(shape_iou(a, b), iou(*boxes))
