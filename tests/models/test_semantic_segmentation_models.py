"""Each architecture by its paper: maps, sizes, initial weights, and what it cannot be built on."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from model_contracts import images
from torch import nn
from torch.testing import assert_close

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.convnet import convnet
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.semantic_segmentation import deconvnet
from tradeoffs.models.semantic_segmentation.deconvnet import DeconvNet
from tradeoffs.models.semantic_segmentation.fcn import FCN
from tradeoffs.models.semantic_segmentation.full_resolution import FullResolution
from tradeoffs.models.semantic_segmentation.unet import UNet
from tradeoffs.ops.upsampling import (
    BedOfNails,
    Bilinear,
    LearnedBilinear,
    MaxUnpool,
    Nearest,
    TransposedConvolution,
)
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
    model = FCN(timm_backbone("resnet18", output_stride=8), 3, LearnedBilinear)
    assert len(model.heads) == 1 and model(images()).logits.shape[-1] == 12
    with pytest.raises(MismatchError, match="no features of stride 32; choose: "):
        FCN(model.backbone, 3, LearnedBilinear, stride=32)


def pooled() -> Backbone:
    """Max pooling alone makes its maps coarser."""
    return convnet(channels=(4, 8, 8), kernel_size=3, padding=1)


@pytest.mark.parametrize("model", [partial(UNet, channels=4, most_channels=8), partial(DeconvNet, depth=1)])
def test_maxima_return_to_their_places(model):
    """The finest unpooled map has one of each four pixels, where the backbone's pooling found the largest."""
    torch.manual_seed(0)
    model, seen = model(pooled(), 3, MaxUnpool), {}
    model.upsamplings[0].register_forward_hook(lambda layer, inputs, output: seen.update(output=output))
    finest = model.backbone(images())[0]
    assert model(images()).logits.shape == (2, 3, 96, 96)
    largest = F.max_pool2d(finest, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    blocks = seen["output"].unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2)
    assert ((blocks != 0).sum(dim=-1) <= 1).all() and (blocks != 0).any()
    assert (finest == largest)[seen["output"] != 0].all()


def test_deconvnet_on_vgg_has_its_switches_by_default():
    model = compose("train", ["model=deconvnet", "backbone=vgg16"]).model
    assert model.upsampling._target_.endswith(".MaxUnpool") and model.depth == [2, 2, 3, 3, 3]
    other = compose("train", ["model=deconvnet", "backbone=vgg16", "upsampling=nearest"]).model
    assert other.upsampling._target_.endswith(".Nearest")


@pytest.mark.parametrize("upsampling", [Nearest, Bilinear, BedOfNails, TransposedConvolution, LearnedBilinear])
def test_ways_of_upsampling_are_interchangeable(upsampling):
    for model in (
        UNet(pooled(), 3, upsampling, channels=2),
        DeconvNet(pooled(), 3, upsampling),
        FCN(pyramid(), 3, upsampling),
    ):
        assert {type(layer) for layer in model.upsamplings} == {upsampling}
        model(images()).logits.square().sum().backward()
        assert all(p.grad.isfinite().all() for p in model.parameters())


def test_deconvnet_with_fully_connected_layers_takes_small_maps(monkeypatch):
    """Of 3 x 3 pixels here, where these layers look at 7 x 7."""
    monkeypatch.setattr(deconvnet, "VGG_WIDTHS", (8, 8))
    model = DeconvNet(pyramid(), 3, Nearest, fully_connected=True)
    assert model.middle(torch.randn(2, 4, 3, 3)).shape == (2, 4, 3, 3)
    assert model.middle.layers[0](torch.randn(2, 4, 7, 7)).shape == (2, 8, 1, 1)
    assert model(images()).logits.shape == (2, 3, 12, 12)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_vgg"])
def test_full_resolution_loses_none(name):
    backbone = convnet(channels=(4, 8, 8), kernel_size=3, padding=1) if name == "test_vgg" else timm_backbone(name)
    model = FullResolution(backbone, 3, stages=3).eval()
    assert model(images()[..., :24, :32]).logits.shape == (2, 3, 24, 32)


def test_full_resolution_uses_the_weights_of_the_backbone():
    """Every other pixel of what has no second stride, and no pooling before it, is what the backbone computes."""
    backbone = Backbone([nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1))], channels=[4], strides=[2])
    expected = backbone(images())[0]
    model = FullResolution(backbone, 3, stages=1)
    assert_close(model.backbone(images())[0][..., ::2, ::2], expected)


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (
            lambda: UNet(pyramid(), 3, MaxUnpool),
            "max_unpool needs a backbone that halves its maps by max pooling",
        ),
        (lambda: UNet(pooled(), 3, MaxUnpool), r"maps of \[4, 8\] channels.*the decoder has \[16, 32\]; choose"),
        (lambda: FCN(pyramid(), 3, MaxUnpool), "max_unpool is not for model=fcn"),
        (lambda: FCN(pooled(), 3, Nearest), "no features of stride 8; choose: "),
        (lambda: DeconvNet(pyramid(), 3, Nearest, depth=[1]), "model.depth has 1 numbers; give one, or 2"),
        (lambda: FullResolution(pyramid(), 3, stages=9), "model.stages=9; this backbone has 3"),
        (lambda: FullResolution(timm_backbone("test_vit3"), 3), "needs a backbone that is a sequence of stages"),
        (lambda: UNet(timm_backbone("test_vit3"), 3, Nearest), "a decoder needs maps of which each halves the one bef"),
    ],
)
def test_what_cannot_be_is_said(build, line):
    with pytest.raises(MismatchError, match=line):
        build()
