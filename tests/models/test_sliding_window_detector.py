"""Window by window equals all at once, at a far higher price; where windows lie, and what they answer for."""

import math

import pytest
import torch
from model_contracts import images
from torch.testing import assert_close

from tradeoffs.backbones.convnet import convnet
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import MismatchError
from tradeoffs.measure.cost import multiply_adds
from tradeoffs.models.detection import sliding_window
from tradeoffs.models.detection.sliding_window import SlidingWindowDetector, SlidingWindowOutput, resized
from tradeoffs.ops.box_coding import encode
from tradeoffs.ops.matching import BACKGROUND, IGNORED
from tradeoffs.structures import Targets


def small(weights_of: SlidingWindowDetector | None = None, **options) -> SlidingWindowDetector:
    """Windows of 25 pixels, 4 apart."""
    torch.manual_seed(0)
    model = SlidingWindowDetector(convnet(channels=(4, 8, 16), kernel_size=4), 3, **({"hidden": 8} | options))
    if weights_of is not None:
        model.load_state_dict(weights_of.state_dict())
    return model.eval()


def one_image(boxes: list[list[float]], labels: list[int]) -> Targets:
    """Targets of one image, with a padded row."""
    padded = torch.tensor([*boxes, [0.0, 0, 0, 0]])[None]
    return Targets(padded, torch.tensor([[*labels, 0]]), torch.tensor([[True] * len(boxes) + [False]]))


@pytest.mark.parametrize("step", [None, 12])
@pytest.mark.parametrize(("height", "width"), [(32, 40), (35, 50)])
def test_both_ways_give_the_same(height, width, step):
    shared = small(scales=(1.0, 0.6, 0.3), step=step)
    windows = small(shared, scales=(1.0, 0.6, 0.3), step=step, shared=False, chunk=30)  # which does not divide them
    pictures = images()[..., :height, :width]
    with torch.no_grad():
        for found, expected in zip(windows(pictures), shared(pictures), strict=True):
            assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_window_by_window_costs_far_more():
    shared, windows = small(scales=(1.0, 0.5)), small(scales=(1.0, 0.5), shared=False)
    of_one_window = multiply_adds(small(), images(1)[..., :4, :4])
    assert multiply_adds(windows, images(1)) == (24**2 + 12**2) * of_one_window  # one for each cell of a grid
    assert multiply_adds(windows, images(1)) > 10 * multiply_adds(shared, images(1))


def test_a_larger_step_looks_at_some_of_the_windows():
    fine = small()
    coarse = small(fine, step=12)
    pictures = images(1)[..., :36, :36]
    with torch.no_grad():
        every, some = fine(pictures), coarse(pictures)
    # A cell of 12 pixels has its window in the middle: around the second of three cells of 4.
    assert_close(some.logits, every.logits.view(1, 9, 9, 4)[:, 1::3, 1::3].flatten(1, 2), atol=1e-5, rtol=1e-4)
    assert_close(some.windows, every.windows.view(9, 9, 4)[1::3, 1::3].flatten(0, 1))


def test_where_windows_lie():
    """25 pixels wide and 4 apart: 10 pixels before a cell, 11 after it. At half the size all is twice as wide."""
    output = small(scales=(1.0, 0.5))(images(1)[..., :32, :40])
    full, half = output.windows.split([8 * 10, 4 * 5])
    assert full[[0, 1, 10]].tolist() == [[-10, -10, 15, 15], [-6, -10, 19, 15], [-10, -6, 15, 19]]
    assert full[-1].tolist() == [26, 18, 51, 43]
    assert half[[0, 1, 5]].tolist() == [[-20, -20, 30, 30], [-12, -20, 38, 30], [-20, -12, 30, 38]]


def test_sides_that_no_scale_divides():
    """30 x 20 pixels become 9 x 6, a border makes windows of them: 25 pixels there are 83 here."""
    output = small(scales=(0.3,))(images(1)[..., :20, :30])
    assert output.windows.shape == (2 * 3, 4)
    assert_close(output.windows[0], torch.tensor([-10.0, -10, 15, 15]) / 0.3)


def test_a_window_sees_its_pixels_and_no_others():
    """What lies outside may change; a pixel in its last corner may not."""
    model, pictures = small(), torch.full((1, 3, 64, 64), 90, dtype=torch.uint8)
    place = 8 * 16 + 7  # row 8 of 16, column 7
    left, top, right, bottom = model(pictures).windows[place].int().tolist()
    around, inside = torch.zeros_like(pictures), torch.full_like(pictures, 90)
    around[..., top:bottom, left:right] = 90
    inside[..., bottom - 1, right - 1] = 255
    with torch.no_grad():
        expected, same, other = (model(each).logits[0, place] for each in (pictures, around, inside))
    assert_close(same, expected)
    assert (other - expected).abs().max() > 1e-4


def test_small_images_are_averages():
    pictures = images(1)
    expected = pictures.float().unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(-1, -2))
    found = resized(pictures, 0.5)
    assert found.dtype == torch.uint8 and found.shape[-2:] == expected.shape[-2:]
    step = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    step[..., 4:] = 200
    assert resized(step, 0.5)[0, 0, 0].tolist() == [0, 25, 175, 200]  # triangles 4 wide: 1, 3, 3, 1 eighths


# An object that the first window shows well and the second by half; one so small that it lies in both of the last two.
OBJECTS = one_image([[0, 0, 20, 16], [44, 4, 50, 10]], [2, 0])
WINDOWS = torch.tensor([[0.0, 0, 20, 20], [8, 0, 28, 20], [14, 0, 34, 20], [30, 0, 50, 20], [36, -4, 56, 16]])


def test_what_each_window_answers_for():
    """IoU with the first object: 0.8, 192 / 528, 96 / 624. The small one is in the middle of the last window."""
    assert small().match(OBJECTS, WINDOWS[None]).tolist() == [[0, IGNORED, BACKGROUND, BACKGROUND, 1]]
    assert small(match_high=0.35).match(OBJECTS, WINDOWS[None]).tolist() == [[0, 0, BACKGROUND, BACKGROUND, 1]]
    assert small(match_low=0.1).match(OBJECTS, WINDOWS[None]).tolist() == [[0, IGNORED, IGNORED, BACKGROUND, 1]]


def output_by_hand() -> SlidingWindowOutput:
    """All classes are alike but where a loss would be seen: high for what is ignored, of boxes for other classes."""
    logits, offsets = torch.zeros(1, 5, 4), torch.full((1, 5, 3, 4), 99.0)
    logits[0, 1, 0], logits[0, 3, 0] = 50.0, 1.0
    offsets[0, 0, 2] = encode(OBJECTS.boxes[0, 0], WINDOWS[0]) + torch.tensor([0.5, 0, 0, 2])
    offsets[0, 4, 0] = encode(OBJECTS.boxes[0, 1], WINDOWS[4])
    return SlidingWindowOutput(logits, offsets, WINDOWS)


def test_losses_by_hand():
    """Two windows are matched; of the two of background the one that looks like an object is the hard one."""
    losses = small(negatives_per_positive=0.5).criterion(output_by_hand(), OBJECTS)
    assert_close(losses["localization"], torch.tensor((0.5 * 0.5**2 + (2 - 0.5)) / 2))
    assert_close(losses["classification"], torch.tensor((2 * math.log(4) + math.log(math.e + 3)) / 2))


def test_what_is_ignored_is_no_negative_even_where_there_are_too_few():
    losses = small().criterion(output_by_hand(), OBJECTS)
    assert_close(losses["classification"], torch.tensor((3 * math.log(4) + math.log(math.e + 3)) / 2))


def test_training_runs_all_at_once(monkeypatch):
    windows = small(shared=False)
    expected = windows.criterion(windows(images()[..., :40, :40]), OBJECTS[[0, 0]])
    monkeypatch.setattr(sliding_window, "one_by_one", None)
    assert_close(windows.losses(images()[..., :40, :40], OBJECTS[[0, 0]]), expected)


@pytest.mark.parametrize("boxes", ["one", "per_class"])
def test_a_box_is_that_of_its_class(boxes):
    model = small(boxes=boxes, score_threshold=0.3)
    offsets = torch.zeros(1, 2, model.num_boxes, 4)
    offsets[0, 1, min(2, model.num_boxes - 1)] = encode(torch.tensor([10.0, 3, 22, 13]), WINDOWS[1])
    logits = torch.tensor([[[0.0, 0, 0, 9], [0, 0, 9, 0]]])
    output = SlidingWindowOutput(logits, offsets, WINDOWS[:2])
    found = model.postprocess(output, (20, 30))
    assert found.labels[found.valid].tolist() == [2]
    assert_close(found.boxes[found.valid], torch.tensor([[10.0, 3, 22, 13]]))
    assert model.num_candidates(output).tolist() == [1]


def test_what_cannot_be_is_said():
    for backbone in (timm_backbone("test_resnet"), convnet(padding=3)):
        with pytest.raises(MismatchError, match="needs a plain backbone that pads nothing, such as convnet"):
            SlidingWindowDetector(backbone, 3)
    with pytest.raises(MismatchError, match="step=6 is no multiple of the backbone's stride, 4; give one"):
        small(step=6)
