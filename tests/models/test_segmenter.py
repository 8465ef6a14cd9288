"""What all models of semantic segmentation share: losses by hand, resolutions, windows."""

import math

import pytest
import torch
import torch.nn.functional as F
from model_contracts import images
from torch import nn
from torch.testing import assert_close

from tradeoffs.errors import MismatchError
from tradeoffs.measure.cost import multiply_adds
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter, SegmenterOutput
from tradeoffs.models.semantic_segmentation.windows import starts
from tradeoffs.structures import IGNORED, Targets


class Blocks(Segmenter):
    """Scores blocks of `side` pixels by themselves."""

    def __init__(self, side: int = 8, **options):
        super().__init__(3, **options)
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 3, side, stride=side)

    def scores(self, images):
        return self.layer(images / 255)


def losses(model: Segmenter, logits: list, labels: list) -> dict[str, torch.Tensor]:
    """Of one row of pixels; logits are given pixel by pixel."""
    row = torch.tensor(logits).T[None, :, None]
    return model.criterion(SegmenterOutput(row), Targets(label_map=torch.tensor([[labels]], dtype=torch.uint8)))


def test_cross_entropy_by_hand():
    """Probabilities of the truth: 3/5, 1/3; the third pixel is ignored. With weights they count 1 and 3 times."""
    logits, labels = [[math.log(3), 0.0, 0.0], [0.0, 0.0, 0.0], [9.0, 0.0, 0.0]], [0, 2, IGNORED]
    first, second = -math.log(3 / 5), -math.log(1 / 3)
    assert losses(Blocks(), logits, labels) == {"cross_entropy": pytest.approx((first + second) / 2)}
    weighted = Blocks(class_weights=[1, 2, 3])
    assert losses(weighted, logits, labels) == {"cross_entropy": pytest.approx((first + 3 * second) / 4)}


def test_both_losses_and_dice_alone():
    logits, labels = [[math.log(2), 0.0, 0.0], [0.0, 0.0, 0.0]], [0, 0]
    found = losses(Blocks(loss="cross_entropy_dice"), logits, labels)
    said = 1 / 2 + 1 / 3  # of class 0, which is there twice
    assert found["dice"] == pytest.approx(1 - 2 * said / (said + 2))
    assert found.keys() == {"cross_entropy", "dice"}
    assert losses(Blocks(loss="dice"), logits, labels).keys() == {"dice"}


def test_classes_without_weight_lose_nothing():
    model = Blocks(class_weights=[0, 1, 1])
    logits = torch.zeros(1, 3, 1, 1, requires_grad=True)
    labels = torch.zeros(1, 1, 1, dtype=torch.uint8)
    loss = model.criterion(SegmenterOutput(logits), Targets(label_map=labels))["cross_entropy"]
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_logits_are_interpolated_to_the_pixels():
    """Of two pixels of a map the four of the image have a quarter and three quarters in between."""
    logits = torch.tensor([[0.0, 4.0], [0.9, 0.9], [-1.0, 3.1]])[None, :, None]
    found = Blocks().postprocess(SegmenterOutput(logits), (1, 4))
    assert found.labels.tolist() == [[[1, 0, 0, 0]]] and found.labels.dtype == torch.uint8
    model, truth = Blocks(), torch.tensor([[[1, 0, 2, 0]]], dtype=torch.uint8)
    expected = F.cross_entropy(
        torch.tensor([[0, 0.9, -1], [1, 0.9, 0.025], [3, 0.9, 2.075], [4, 0.9, 3.1]]), truth[0, 0].long()
    )
    found = model.criterion(SegmenterOutput(logits), Targets(label_map=truth))
    assert_close(found["cross_entropy"], expected)


def test_what_cannot_be_is_said():
    with pytest.raises(MismatchError, match="class_weights has 2 numbers; give one for each of 3 classes"):
        Blocks(class_weights=[1, 2])
    with pytest.raises(MismatchError, match="256 classes are too many"):
        Segmenter(256)


@pytest.mark.parametrize(
    ("length", "side", "overlap", "expected"),
    [
        (64, 64, 0.5, [0]),
        (40, 64, 0.5, [0]),
        (96, 32, 0.0, [0, 32, 64]),
        (96, 64, 0.5, [0, 32]),
        (96, 40, 0.0, [0, 28, 56]),
    ],
)
def test_windows_begin_evenly_and_end_at_the_border(length, side, overlap, expected):
    assert starts(length, side, overlap) == expected


def test_windows_of_whole_blocks_change_nothing():
    """Scores of a block are the same in each window that sees it, so that their mean is, too."""
    whole, windows = Blocks(side=1), Blocks(side=1, window=32, overlap=0.5)
    assert windows(images()).logits.shape == (2, 3, 96, 96)
    assert_close(windows(images()).logits, whole(images()).logits)
    assert_close(windows(images()[..., :32, :40]).logits, whole(images()[..., :32, :40]).logits)


def test_scores_of_windows_are_averaged():
    """Two windows that share a third of the image's width."""
    model = Blocks(side=64, window=64, overlap=0.5)
    wide = images()[..., :64, :]
    left, right = (model.scores(wide[..., start : start + 64]) for start in (0, 32))
    found = model(wide).logits
    for columns, expected in ((slice(0, 32), left), (slice(32, 64), (left + right) / 2), (slice(64, 96), right)):
        assert_close(found[..., columns], expected.expand(-1, -1, 64, 32))


def test_windows_cost_what_they_see_and_small_images_are_one():
    whole, windows = Blocks(side=8), Blocks(side=8, window=48, overlap=0.5)
    assert multiply_adds(windows, images()) == 9 * multiply_adds(whole, images()[..., :48, :48])
    small = images()[..., :48, :40]
    assert multiply_adds(windows, small) == multiply_adds(whole, small)
    assert torch.equal(windows(small).logits, whole(small).logits)
