"""A patch, a class: patch by patch equals the whole image at once, at a far higher price."""

import pytest
import torch
from model_contracts import images, make
from torch.testing import assert_close

from tradeoffs.errors import MismatchError
from tradeoffs.measure.cost import multiply_adds
from tradeoffs.models.semantic_segmentation.sliding_window import receptive_field

SMALL = ("convnet", "backbone.channels=[4,8,16]")


def pair(*overrides: str):
    """The same weights, patch by patch and shared."""
    models = [
        make("sliding_window", *SMALL, f"model.shared={shared}", *overrides).eval() for shared in ("false", "true")
    ]
    models[1].load_state_dict(models[0].state_dict())
    return models


def test_a_pixel_of_the_paper_sees_46():
    assert receptive_field(make("sliding_window", "convnet").backbone) == 46


@pytest.mark.parametrize(("height", "width"), [(48, 64), (35, 50)])
def test_both_ways_give_the_same_scores(height, width):
    patches, shared = pair("model.chunk=100")  # which does not divide their number
    with torch.no_grad():
        pictures = images()[..., :height, :width]
        found, expected = patches(pictures).logits, shared(pictures).logits
    assert found.shape == (2, 3, -(-height // 4), -(-width // 4))
    assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_patch_by_patch_costs_far_more():
    patches, shared = (multiply_adds(model, images(1)) for model in pair())
    assert patches == 24**2 * multiply_adds(pair()[1], images(1)[..., :4, :4])  # one patch for each cell of the grid
    assert patches > 30 * shared


def test_a_finer_grid_has_a_patch_for_each_pixel():
    dense, coarse = make("sliding_window", *SMALL, "model.shared=false", "model.step=1"), pair()[0]
    dense.load_state_dict(coarse.state_dict())
    with torch.no_grad():
        pictures = images(1)[..., :12, :16]
        found, expected = dense.eval()(pictures).logits, coarse(pictures).logits
    assert found.shape == (1, 3, 12, 16)
    assert_close(found[..., 1::4, 1::4], expected, atol=1e-4, rtol=1e-4)  # patches of 46 have no middle pixel


def test_a_step_reaches_the_backbone_patch_by_patch():
    model = make("sliding_window", *SMALL, "model.shared=false", "model.step=16")
    model(images()).logits.square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["mobilenet"], "needs a plain backbone that pads nothing, such as convnet"),
        (["inception_v3"], "needs a plain backbone that pads nothing, such as convnet"),
        (["convnet", "backbone.padding=3"], "needs a plain backbone that pads nothing, such as convnet"),
        (["convnet", "model.step=2"], "model.step=2 is not the stride of the shared map, 4; leave it out"),
    ],
)
def test_what_cannot_be_is_said(words, line):
    with pytest.raises(MismatchError, match=line):
        make("sliding_window", *words)
