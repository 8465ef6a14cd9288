import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close
from torchvision.ops import box_iou

from tradeoffs.ops.boxes import area, clip, from_centers, iou, to_centers

numbers = st.floats(-100, 400, width=32)
boxes = st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=8).map(
    lambda rows: torch.tensor([[min(a, c), min(b, d), max(a, c), max(b, d)] for a, b, c, d in rows])
)


def test_iou_by_hand():
    a = torch.tensor([[0.0, 0, 10, 10]])
    b = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [10, 10, 20, 20], [3, 3, 3, 3]])
    assert_close(iou(a, b), torch.tensor([[1.0, 50 / 150, 0.0, 0.0]]))


@given(boxes, boxes)
def test_iou_equals_torchvision(a, b):
    proper = (area(a)[:, None] + area(b)[None, :]) > 1e-3
    assert_close(iou(a, b)[proper], box_iou(a, b)[proper], atol=1e-5, rtol=1e-4)


def test_iou_of_a_batch_is_that_of_each_image():
    torch.manual_seed(0)
    a, b = torch.rand(3, 4, 4).cumsum(-1), torch.rand(3, 5, 4).cumsum(-1)
    assert_close(iou(a, b), torch.stack([box_iou(x, y) for x, y in zip(a, b, strict=True)]))


def test_clip():
    assert clip(torch.tensor([[-5.0, 2, 30, 40]]), (20, 10)).tolist() == [[0, 2, 10, 20]]


@given(boxes)
def test_centers_round_trip(values):
    assert_close(from_centers(*to_centers(values)), values, atol=1e-3, rtol=1e-5)
