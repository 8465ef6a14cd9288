import math

import pytest
import torch
from model_contracts import CLASSES, SIZE, images, make
from torch.testing import assert_close

from tradeoffs.errors import UserError
from tradeoffs.models.detection.region_head import RegionMaps
from tradeoffs.models.instance_segmentation.mask_head import mask_layers, mask_losses, probabilities
from tradeoffs.ops.masks import pack, paste, unpack
from tradeoffs.structures import Targets

FPN = ("model.neck=fpn", "model.pyramid.channels=32", "model.pyramid.widths=[64,64]")


def targets(valid: bool = True) -> Targets:
    """One object in the first image; its mask is a single pixel."""
    masks = torch.zeros(2, 1, SIZE, SIZE, dtype=torch.uint8)
    masks[0, 0, 30, 40] = 1
    boxes = torch.tensor([[[8.0, 8, 60, 70]], [[0, 0, 0, 0]]])
    return Targets(boxes, torch.zeros(2, 1, dtype=torch.int64), torch.tensor([[valid], [False]]), pack(masks))


@pytest.mark.parametrize(
    ("choices", "side"),
    [
        (("model.pooling=roi_pool",), 14),
        (("model.masks=softmax", "model.pooling=roi_align_half_pixel"), 14),
        ((*FPN, "model.pooling=roi_pool"), 28),
        ((*FPN, "model.masks=softmax", "model.pooling=roi_align_half_pixel"), 28),
    ],
)
def test_every_choice_learns_and_finds_masks(choices, side):
    model = make("mask_rcnn", "mobilenet", "backbone.width=0.25", *choices, "model.crop_size=14")
    losses = model.losses(images(), targets())
    sum(losses.values()).backward()
    assert losses["mask"] > 0 and all(loss.isfinite() for loss in losses.values())
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.mask_head.parameters())
    model.eval().score_threshold = 0.0
    wide = images()[..., : SIZE - 5].repeat(1, 1, 1, 2)  # no multiple of eight
    with torch.no_grad():
        found = model.predict(wide)
    assert found.masks.shape == (*found.labels.shape, side, side)
    assert (found.masks >= 0).all() and (found.masks <= 1).all()
    whole = torch.cat(list(paste(found.masks[1], found.boxes[1], (SIZE, wide.shape[-1]))))
    assert torch.equal(unpack(found.pasted[1], wide.shape[-1]).bool(), whole)
    assert whole.any() or model.masks == "softmax"  # of four untrained outputs hardly one is above a half


def test_without_objects_masks_have_no_loss():
    model = make("mask_rcnn", "mobilenet", "backbone.width=0.25")
    loss = model.losses(images(), targets(valid=False))["mask"]
    assert loss == 0
    loss.backward()
    assert all(not p.grad.any() for p in model.mask_head.parameters())


def test_where_nothing_is_sure_enough_there_is_nothing():
    model = make("mask_rcnn", "mobilenet", "backbone.width=0.25").eval()
    model.score_threshold = 1.0
    with torch.no_grad():
        found = model.predict(images())
    assert not found.valid.any() and found.masks.shape[:2] == found.pasted.shape[:2] == (2, 1)


def test_fewer_proposals_are_the_first_ones():
    model = make("mask_rcnn", "mobilenet", "backbone.width=0.25").eval()
    model.score_threshold = 0.0
    with torch.no_grad():
        output = model(images())
        model.num_proposals = 10
        expected, found = model(images()), output.limited_to(10)
        assert_close(found.detected.proposals, expected.detected.proposals)
        masks = [model.postprocess(each, (SIZE, SIZE), pasted=False).masks for each in (found, expected)]
    assert_close(*masks)


def test_losses_of_masks_by_hand():
    logits, labels = torch.zeros(2, CLASSES, 2, 2), torch.tensor([0, 2])
    logits[0, 1:] = 9  # of other classes
    logits[1, 2] = 1
    wanted = torch.tensor([[[1.0, 1], [0, 0]], [[1, 1], [1, 1]]])
    assert_close(
        mask_losses(logits, labels, wanted, "sigmoid"), torch.tensor([math.log(2), math.log(1 + math.exp(-1))])
    )
    assert_close(probabilities(logits, labels, "sigmoid")[:, 0, 0], torch.tensor([0.5, 1 / (1 + math.exp(-1))]))
    even = torch.zeros(1, CLASSES + 1, 2, 2)
    assert_close(mask_losses(even, labels[:1], wanted[:1], "softmax"), torch.tensor([math.log(CLASSES + 1)]))
    assert_close(probabilities(even, labels[:1], "softmax"), torch.full((1, 2, 2), 1 / (CLASSES + 1)))


def test_a_pyramids_mask_head_has_he_et_als_layers():
    """Four convolutions of 256 channels on 14 x 14 and a deconvolution to 28 x 28."""
    layers = mask_layers(256, 256, 4, 80)
    assert layers(torch.zeros(1, 256, 14, 14)).shape == (1, 80, 28, 28)
    expected = 4 * (9 * 256**2 + 256) + 4 * 256**2 + 256 + 80 * 257
    assert sum(p.numel() for p in layers.parameters()) == expected


def test_an_unknown_pooling_is_refused():
    with pytest.raises(UserError, match="choose roi_align, roi_align_half_pixel, roi_pool"):
        RegionMaps(torch.nn.Identity(), [16], 14, 1, pooling="average")
