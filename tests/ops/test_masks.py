import pytest
import torch
from torch.testing import assert_close
from torchvision.models.detection.roi_heads import paste_masks_in_image, project_masks_on_boxes

from tradeoffs.ops import masks as masks_module
from tradeoffs.ops.masks import bytes_of, cut_out, pack, paste, unpack


def test_eight_pixels_are_a_byte():
    assert pack(torch.tensor([[1, 0, 0, 0, 0, 0, 1, 1, 1]], dtype=torch.uint8)).tolist() == [[0b10000011, 0b10000000]]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 300])
def test_nothing_is_lost(width):
    masks = torch.randint(0, 2, (2, 3, 5, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(width))
    packed = pack(masks)
    assert packed.shape == (2, 3, 5, -(-width // 8)) and torch.equal(unpack(packed, width), masks)
    assert torch.equal(bytes_of(masks), packed) and torch.equal(bytes_of(masks.bool()), packed)


@pytest.fixture(params=[None, 1])
def at_once(request, monkeypatch):
    """All masks together, or one after the other."""
    if request.param:
        monkeypatch.setattr(masks_module, "AT_ONCE", request.param)


BOXES = [[0.0, 0, 45, 37], [3.7, 5.2, 20.1, 30.9], [10, 10, 10.4, 10.3], [-8.5, 20, 30, 60], [44, 36, 45, 37]]


@pytest.mark.parametrize("side", [14, 28])
def test_masks_are_pasted_as_by_torchvision(side, at_once):
    masks = torch.rand(len(BOXES), side, side, generator=torch.Generator().manual_seed(0))
    ours = torch.cat(list(paste(masks, torch.tensor(BOXES), (37, 45))))
    theirs = paste_masks_in_image(masks[:, None], torch.tensor(BOXES), (37, 45))[:, 0]
    near = (theirs - 0.5).abs() < 1e-5
    assert ours.flatten(1).any(dim=1).tolist()[:2] == [True] * 2
    assert torch.equal(ours | near, (theirs > 0.5) | near)


def test_a_mask_of_ones_fills_its_box_by_hand():
    """But for half of a pixel of the mask, in which it falls off to the rim."""
    (whole,) = paste(torch.ones(1, 4, 4), torch.tensor([[2.0, 1, 6, 5]]), (6, 8))
    expected = torch.zeros(6, 8, dtype=torch.bool)
    expected[1:6, 2:7] = True
    assert torch.equal(whole[0], expected)


def test_borders_are_the_same_in_mixed_precision():
    masks = torch.rand(len(BOXES), 28, 28, generator=torch.Generator().manual_seed(0))
    expected = list(paste(masks, torch.tensor(BOXES), (37, 45)))
    with torch.autocast("cpu", torch.bfloat16):
        assert all(map(torch.equal, paste(masks, torch.tensor(BOXES), (37, 45)), expected))


def test_nothing_is_pasted_of_nothing():
    assert list(paste(torch.ones(0, 4, 4), torch.ones(0, 4), (6, 8))) == []


def test_masks_are_cut_out_as_by_torchvision(at_once):
    generator = torch.Generator().manual_seed(0)
    masks = torch.randint(0, 2, (2, 3, 37, 45), dtype=torch.uint8, generator=generator)
    boxes, objects = torch.tensor([BOXES, BOXES[::-1]]), torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    ours = cut_out(pack(masks), objects, boxes, width=45, side=14)
    theirs = torch.cat([project_masks_on_boxes(*each, 14) for each in zip(masks.float(), boxes, objects, strict=True)])
    assert_close(ours, theirs)


def test_a_mask_of_one_pixel_is_cut_out_whole():
    """The box is the pixel, so each part of it sees nothing else; RoIAlign reads from corners, hence the half."""
    masks = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    masks[0, 0, 3, 5] = 1
    seen = cut_out(pack(masks), torch.zeros(1, 1, dtype=torch.int64), torch.tensor([[[5.0, 3, 6, 4]]]), 8, side=2)
    assert_close(seen[0], torch.tensor([[9, 3], [3, 1]]) / 16)
