"""Inception V3 (Szegedy et al. 2016) and Inception ResNet V2 (Szegedy et al. 2017), those of Huang et al. 2017.

Both pad little ("valid" in TensorFlow), as their weights want it: a map is a few pixels smaller than size / stride,
299 px give 147, 71, 35, 17 and 8, and images must have at least 75 px.
"""

from __future__ import annotations

from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.inception_v2 import initialize
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import MismatchError


def inception_v3(weights: str = "none", **options) -> Backbone:
    """Stages end before each halving: Mixed_6e has stride 16, Mixed_7c stride 32. Input scaled to -1..1."""
    backbone = timm_backbone("inception_v3.tf_in1k", weights, **options)  # pretrained ones are TF-slim's
    if weights == "none":
        initialize(backbone)  # timm's own makes maps grow a millionfold wherever batch norm is not in training mode
    return backbone


def inception_resnet_v2(weights: str = "none", output_stride: int | None = None, **options) -> Backbone:
    """Stages end before each halving: Mixed_6a and its blocks have stride 16, Conv2d_7b 32. Input scaled to -1..1.

    `output_stride` 16 takes the stride of Mixed_7a away, 8 that of Mixed_6a, too, and dilates what follows (Huang et
    al. 2017, section 3.1.3). Every second (fourth) pixel then is what the network without dilation computes.
    """
    if output_stride not in (None, 8, 16, 32):
        raise MismatchError(
            f"backbone.output_stride={output_stride}: inception_resnet_v2 offers 8 and 16 (32 is its own)"
        )
    backbone = timm_backbone("inception_resnet_v2", weights, **options)
    if weights == "none":
        initialize(backbone)
    if output_stride and not backbone.strides:
        raise MismatchError(f"backbone.output_stride={output_stride}: there is none with this network's own classifier")
    if output_stride:
        _dilate(backbone, output_stride)
    return backbone


def _dilate(backbone: Backbone, output_stride: int) -> None:
    """Keep later stages at `output_stride`. A stage's first layer alone has a stride, at the end of each branch."""
    dilation = 1
    for stage, stride in zip(backbone.stages, backbone.strides, strict=True):
        if stride > output_stride:
            reduction, *blocks = stage
            _stretch(reduction, dilation)
            dilation *= 2
            for block in blocks:
                _stretch(block, dilation)
    backbone.strides = tuple(min(stride, output_stride) for stride in backbone.strides)


def _stretch(layer: nn.Module, dilation: int) -> None:
    """Without stride, and with holes between the taps of all kernels."""
    for module in layer.modules():
        if isinstance(module, nn.Conv2d):
            module.stride, module.dilation = (1, 1), (dilation, dilation)
            module.padding = tuple(dilation * side for side in module.padding)
        elif isinstance(module, nn.MaxPool2d):
            module.stride, module.dilation = 1, dilation
