import numpy as np
import pytest
import torch
from pycocotools import mask as rle

from tradeoffs.data.resize import Resize, Window
from tradeoffs.data.segmentation import background_of, label_of_unmarked, paint
from tradeoffs.structures import IGNORED


def encoded(*masks: list[list[int]]) -> list[dict]:
    return [rle.encode(np.asfortranarray(mask, np.uint8)) for mask in masks]


def test_the_smaller_object_is_seen():
    masks = encoded([[1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 0, 0]])
    areas = np.array([3, 1], np.float32)
    assert paint(masks, np.array([4, 2]), areas, 9, 2, 3).tolist() == [[4, 9, 9], [2, 4, 9]]
    assert paint(masks[::-1], np.array([2, 4]), areas[::-1], 9, 2, 3).tolist() == [[4, 9, 9], [2, 4, 9]]
    assert paint([], np.empty(0, np.int64), np.empty(0, np.float32), IGNORED, 1, 2).tolist() == [[IGNORED, IGNORED]]


@pytest.mark.parametrize(
    ("categories", "label"),
    [
        ([{"name": "cat"}, {"name": "dog"}], 2),
        ([{"name": "cat"}, {"name": "Background"}], 1),
        ([{"name": "cat", "isthing": 1}, {"name": "sky", "isthing": 0}], IGNORED),
        ([{"name": "cat", "isthing": 1}], 1),
    ],
)
def test_pixels_of_no_object(categories: list[dict], label: int):
    assert label_of_unmarked(categories) == label


def test_background_is_known_by_its_name():
    assert background_of(["cat", "Background"]) == 1 and background_of(["cat"]) is None


@pytest.mark.parametrize("mode", ["warp", "letterbox", "shorter_edge"])
@pytest.mark.parametrize(
    "window", [Window(0, 0, 6, 4), Window(0, 0, 6, 4, mirrored=True), Window(-2, 1, 5, 9), Window(2, 1, 4, 3)]
)
def test_label_maps_go_along_with_the_image(mode: str, window: Window):
    """Each pixel of the map has the class of the image's pixel that is seen there: colours say which."""
    labels = torch.arange(24, dtype=torch.uint8).view(4, 6)
    placement = Resize(mode, 24).place(window, 4, 6)
    seen = placement.label_map(labels)
    scale, offset = placement.geometry.split(2)
    rows, columns = torch.meshgrid(*(torch.arange(side) + 0.5 for side in seen.shape), indexing="ij")
    x, y = ((columns - offset[0]) / scale[0]).floor(), ((rows - offset[1]) / scale[1]).floor()
    left, top, right, bottom = placement.target
    inside = (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
    expected = torch.where(inside, labels[y.clamp(0, 3).long(), x.clamp(0, 5).long()], IGNORED)
    assert torch.equal(seen, expected.to(torch.uint8))
