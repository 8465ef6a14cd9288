"""A patch, a class: patch by patch equals the whole image at once, at a far higher price."""

import pytest
from model_contracts import images
from torch.testing import assert_close

from tradeoffs.backbones.convnet import convnet
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import MismatchError
from tradeoffs.measure.cost import multiply_adds
from tradeoffs.models.semantic_segmentation.sliding_window import SlidingWindow, receptive_field


def small(weights_of: SlidingWindow | None = None, **options) -> SlidingWindow:
    model = SlidingWindow(convnet(channels=(4, 8, 16)), 3, **options)
    if weights_of is not None:
        model.load_state_dict(weights_of.state_dict())
    return model.eval()


def test_a_pixel_of_the_paper_sees_46():
    assert receptive_field(convnet()) == 46


@pytest.mark.parametrize(("height", "width"), [(32, 40), (35, 50)])
def test_both_ways_give_the_same_scores(height, width):
    patches = small(chunk=100)  # which does not divide their number
    pictures = images()[..., :height, :width]
    found, expected = patches(pictures).logits, small(patches, shared=True)(pictures).logits
    assert found.shape == (2, 3, -(-height // 4), -(-width // 4))
    assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_patch_by_patch_costs_far_more():
    patches, shared = small(), small(shared=True)
    of_one_patch = multiply_adds(shared, images(1)[..., :4, :4])
    assert multiply_adds(patches, images(1)) == 24**2 * of_one_patch  # one for each cell of the grid
    assert multiply_adds(patches, images(1)) > 30 * multiply_adds(shared, images(1))


def test_a_finer_grid_has_a_patch_for_each_pixel():
    coarse = small()
    pictures = images(1)[..., :12, :16]
    found, expected = small(coarse, step=1)(pictures).logits, coarse(pictures).logits
    assert found.shape == (1, 3, 12, 16)
    assert_close(found[..., 1::4, 1::4], expected, atol=1e-4, rtol=1e-4)  # patches of 46 have no middle pixel


def test_a_step_reaches_the_backbone_patch_by_patch():
    model = small(step=16)
    model(images()).logits.square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters())


def test_what_cannot_be_is_said():
    for backbone in (timm_backbone("test_resnet"), convnet(padding=3)):
        with pytest.raises(MismatchError, match="needs a plain backbone that pads nothing, such as convnet"):
            SlidingWindow(backbone, 3)
    with pytest.raises(MismatchError, match="step=2 is not the stride of the shared map, 4; leave it out"):
        small(shared=True, step=2)
