"""Each architecture by its paper: maps, sizes, initial weights, and what it cannot be built on."""

import pytest
import torch
import torch.nn.functional as F
from model_contracts import images, make
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.semantic_segmentation.fcn import FCN
from tradeoffs.ops.upsampling import LearnedBilinear
from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import compose


def millions(*words: str, num_classes: int = 21) -> int:
    """Of parameters, as built by a command line."""
    with torch.device("meta"):
        model = build_model(compose("train", list(words)), num_classes)
    return round(sum(parameter.numel() for parameter in model.parameters()) / 1e6)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("model=fcn", "backbone=vgg16"), 134),  # Long et al. 2015, table 1
        (("model=deconvnet", "backbone=vgg16"), 252),  # Noh et al. 2015, section 4.2
        (("model=deeplabv3", "backbone=resnet50"), 40),  # torchvision: 42.0 with its auxiliary classifier of 2.4
    ],
)
def test_sizes_are_those_published(words, expected):
    assert millions(*words) == expected


def pyramid() -> Backbone:
    """Maps of strides 8, 16 and 32."""
    layers = [nn.Conv2d(3, 4, 8, stride=8), nn.Conv2d(4, 4, 2, stride=2), nn.Conv2d(4, 4, 2, stride=2)]
    return Backbone([nn.Sequential(layer) for layer in layers], channels=[4] * 3, strides=[8, 16, 32])


@pytest.mark.parametrize(("stride", "cells"), [(32, 3), (16, 6), (8, 12)])
def test_fcn_adds_scores_from_coarse_to_fine(stride, cells):
    """At first finer maps say nothing, and what the coarsest says is interpolated."""
    torch.manual_seed(0)
    model = FCN(pyramid(), 3, LearnedBilinear, stride)
    coarse = model.heads[0](model.backbone(images())[-1])
    found = model(images()).logits
    assert found.shape == (2, 3, cells, cells)
    for _ in model.upsamplings:
        coarse = F.interpolate(coarse, scale_factor=2, mode="bilinear")
    edge = cells // 3  # beyond the border a transposed convolution sees zeros
    inner = slice(edge, -edge) if stride < 32 else slice(None)
    assert_close(found[..., inner, inner], coarse[..., inner, inner])
    for head in model.heads[1:]:
        nn.init.ones_(head.bias)
    if stride < 32:
        assert (model(images()).logits[..., inner, inner] > found[..., inner, inner]).all()


def test_fcn_on_dilated_maps_has_fewer_to_add():
    model = make("fcn", "resnet18", "backbone.output_stride=8")
    assert len(model.heads) == 1 and model(images()).logits.shape[-1] == 12
    with pytest.raises(MismatchError, match="no features of stride 32; choose: "):
        make("fcn", "resnet18", "backbone.output_stride=8", "model.stride=32")


@pytest.mark.parametrize("model", ["unet", "deconvnet"])
@pytest.mark.parametrize("backbone", ["convnet"])
def test_maxima_return_to_their_places(model):
    """The finest unpooled map has one of each four pixels, where the backbone's pooling found the largest."""
    model = make(model, "vgg16", "upsampling=max_unpool", *WIDE_ENOUGH.get(model, [])).eval()
    seen = {}
    model.upsamplings[0].register_forward_hook(lambda layer, inputs, output: seen.update(output=output))
    with torch.no_grad():
        finest = model.backbone(images())[0]
        model(images())
    largest = F.max_pool2d(finest, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    blocks = seen["output"].unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    assert ((blocks != 0).sum(dim=-1) <= 1).all() and (blocks != 0).any()
    assert (finest == largest)[seen["output"] != 0].all()


# Positions belong to channels; the layers between the two halves of DeconvNet are not needed here.
WIDE_ENOUGH = {
    "unet": ["model.channels=64", "model.most_channels=512"],
    "deconvnet": ["model.fully_connected=false", "model.depth=1"],
}


def test_deconvnet_on_vgg_has_its_switches_by_default():
    model = compose("train", ["model=deconvnet", "backbone=vgg16"]).model
    assert model.upsampling._target_.endswith(".MaxUnpool") and model.depth == [2, 2, 3, 3, 3]
    other = compose("train", ["model=deconvnet", "backbone=vgg16", "upsampling=nearest"]).model
    assert other.upsampling._target_.endswith(".Nearest")


@pytest.mark.parametrize("upsampling", ["nearest", "bilinear", "bed_of_nails", "transposed_conv", "learned_bilinear"])
@pytest.mark.parametrize("model", ["unet", "deconvnet", "fcn"])
def test_ways_of_upsampling_are_interchangeable(model, upsampling):
    small = make(model, "mobilenet", "backbone.width=0.25", f"upsampling={upsampling}")
    kinds = {type(layer).__name__ for layer in small.upsamplings}
    assert kinds == {type(small.upsamplings[0]).__name__}
    small(images()).logits.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in small.parameters())


def test_full_resolution_loses_none():
    for backbone, side in (("resnet18", 32), ("vgg16", 32), ("mobilenet", 32)):
        model = make("full_resolution", backbone, "model.stages=3").eval()
        with torch.no_grad():
            assert model(images()[..., :side, :side]).logits.shape == (2, 3, side, side)


def test_full_resolution_uses_the_weights_of_the_backbone():
    """Where nothing was strided, nothing changes: VGG's first stage."""
    model = make("full_resolution", "vgg16", "model.stages=1").eval()
    expected = make("fcn", "vgg16").backbone.stages[0]
    model.backbone.stages[0].load_state_dict(expected.state_dict())
    x = model.backbone.normalize(images())
    with torch.no_grad():
        assert_close(model.backbone.stages[0](x), expected(x))


@pytest.mark.parametrize(
    ("model", "words", "line"),
    [
        ("unet", ["resnet18", "upsampling=max_unpool"], "max_unpool needs a backbone that halves its maps by max"),
        ("deconvnet", ["mobilenet", "upsampling=max_unpool"], "max pooling alone, such as vgg16"),
        (
            "unet",
            ["vgg16", "upsampling=max_unpool", "model.channels=32"],
            "the decoder has .*; choose other model.chan",
        ),
        ("fcn", ["vgg16", "upsampling=max_unpool"], "max_unpool is not for model=fcn"),
        ("deconvnet", ["resnet18", "model.depth=[1,2]"], "model.depth has 2 numbers; give one, or 4"),
        ("full_resolution", ["resnet18", "model.stages=9"], "model.stages=9; this backbone has 5"),
    ],
)
def test_what_cannot_be_is_said(model, words, line):
    with pytest.raises(MismatchError, match=line):
        make(model, *words)
