import numpy as np
import pytest

from tradeoffs.data.augment import crop, draw_window, zoom_out
from tradeoffs.data.resize import Window

IMAGE = Window(0, 0, 200, 100)
BOXES = np.array([[10, 10, 60, 80], [120, 30, 160, 50]], dtype=np.float32)
EMPTY = np.zeros((0, 4), dtype=np.float32)


def overlaps(window: Window, boxes: np.ndarray) -> np.ndarray:
    """IoU, box by box."""
    result = []
    for left, top, right, bottom in boxes:
        width = max(0, min(right, window.right) - max(left, window.left))
        height = max(0, min(bottom, window.bottom) - max(top, window.top))
        union = (right - left) * (bottom - top) + window.width * window.height - width * height
        result.append(width * height / union)
    return np.array(result)


def centred(window: Window, boxes: np.ndarray) -> np.ndarray:
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    return (x > window.left) & (x < window.right) & (y > window.top) & (y < window.bottom)


def test_crops_keep_an_object_and_a_moderate_shape():
    crops = [crop(IMAGE, BOXES, np.random.default_rng(number)) for number in range(300)]
    for window in crops:
        assert centred(window, BOXES).any()
        assert 0 <= window.left < window.right <= 200
        assert 0 <= window.top < window.bottom <= 100
        assert window.width >= 60
        assert window.height >= 30
        assert window == IMAGE or 0.5 <= window.width / window.height <= 2
    assert 20 < sum(window == IMAGE for window in crops) < 150  # at least the 1 of 7 that asks for it


@pytest.mark.parametrize("overlap", [0.1, 0.3, 0.5, 0.7])
def test_crops_reach_the_overlap_that_was_drawn(overlap: float, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tradeoffs.data.augment.MINIMUM_OVERLAPS", (overlap,))
    crops = [crop(IMAGE, BOXES, np.random.default_rng(number)) for number in range(50)]
    best = [overlaps(window, BOXES)[centred(window, BOXES)].max() for window in crops]
    assert min(best) >= overlap
    assert min(best) < overlap + 0.2


def test_zooming_out_puts_the_image_somewhere_in_a_larger_window():
    windows = [zoom_out(IMAGE, np.random.default_rng(number)) for number in range(300)]
    for window in windows:
        assert window.left <= 0
        assert window.top <= 0
        assert window.right >= 200
        assert window.bottom >= 100
        assert window.width / window.height == pytest.approx(2, rel=0.02)
    ratios = np.array([window.width / 200 for window in windows])
    assert ratios.mean() == pytest.approx(2.5, abs=0.2)
    assert 1 <= ratios.min() < 1.1
    assert 3.9 < ratios.max() <= 4


def test_the_same_numbers_give_the_same_window_and_others_another():
    first, again, other = (draw_window("ssd", BOXES, 100, 200, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert first == again != other


def test_flip_mirrors_half_of_the_images_and_does_nothing_else():
    windows = [draw_window("flip", BOXES, 100, 200, np.random.default_rng(number)) for number in range(200)]
    assert {(window.left, window.top, window.right, window.bottom) for window in windows} == {(0, 0, 200, 100)}
    assert 70 < sum(window.mirrored for window in windows) < 130


def test_none_leaves_the_image_alone():
    assert draw_window("none", BOXES, 100, 200, np.random.default_rng(0)) == IMAGE


def test_an_image_without_objects_is_never_cropped():
    windows = [draw_window("ssd", EMPTY, 100, 200, np.random.default_rng(number)) for number in range(50)]
    assert all(window.width >= 200 and window.height >= 100 for window in windows)


@pytest.mark.parametrize("size", [(60, 80), (300, 20)])
def test_a_part_is_as_large_and_as_shaped_as_said(size):
    height, width = size
    rng, areas = np.random.default_rng(0), []
    for _ in range(300):
        window = draw_window("crop", np.empty((0, 4)), height, width, rng, smallest_crop=0.25)
        assert 0 <= window.left < window.right <= width and 0 <= window.top < window.bottom <= height
        assert 0.7 < window.width / window.height < 1.42  # 3/4 to 4/3, in whole pixels
        areas.append(window.width * window.height / (width * height))
    assert max(areas) <= 1
    if size == (60, 80):
        assert 0.24 < min(areas) < 0.3 and max(areas) > 0.9
        assert np.mean(areas) == pytest.approx(0.57, abs=0.05)  # the largest fit less often
