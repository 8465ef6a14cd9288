"""Inception V2 (Ioffe and Szegedy 2015, there called BN-Inception), as in TF-slim and so in Huang et al. 2017."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from timm.layers import ConvNormAct, SeparableConvNormAct, create_pool2d
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.weights import load_weights
from tradeoffs.errors import MismatchError, UserError

# Maps have the size ceil(size / stride), padded like TensorFlow's.
same_and_norm = {"padding": "same", "norm_layer": partial(nn.BatchNorm2d, eps=1e-3)}
convolution = partial(ConvNormAct, **same_and_norm)
separable_convolution = partial(SeparableConvNormAct, **same_and_norm)
max_pool = partial(create_pool2d, "max", 3, padding="same")
average_pool = partial(nn.AvgPool2d, 3, stride=1, padding=1, count_include_pad=False)


def inception_v2(
    weights: str = "none", frozen_stages: int = 0, freeze_norm: bool = False, whole: bool = False
) -> Backbone:
    """Stages end before each halving: Mixed_4e has stride 16, Mixed_5c stride 32. Input scaled to -1..1.

    `weights` is `none` or the path of a file. Its tensors bear TF-slim's names of layers, with branches and the
    convolutions in them by number: `Mixed_3b.1.0.conv.weight`, `Mixed_3b.1.0.bn.weight`. Nobody keeps such weights
    for download, so `pretrained` raises a `UserError`.
    """
    if whole:
        raise MismatchError("backbone=inception_v2 has no classifier of its own; choose model=classifier")
    if weights == "pretrained":
        raise UserError("backbone.weights=pretrained: nobody keeps those of inception_v2; give none or a file's path")
    stages = [nn.Sequential(OrderedDict(stage)) for stage in layers()]
    network = nn.ModuleDict({name: layer for stage in stages for name, layer in stage.named_children()})
    if weights == "none":
        initialize(network)
    else:
        load_weights(network, Path(weights))
    return Backbone(
        stages,
        channels=(64, 192, 320, 576, 1024),
        strides=(2, 4, 8, 16, 32),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        frozen_stages=frozen_stages,
        freeze_norm=freeze_norm,
    )


def layers() -> list[dict[str, nn.Module]]:
    """The layers of each stage by TF-slim's names and in its widths, close to figure 5 of Ioffe and Szegedy 2015."""
    return [
        {
            "Conv2d_1a_7x7": separable_convolution(3, 64, 7, stride=2, channel_multiplier=8),
        },
        {
            "MaxPool_2a_3x3": max_pool(stride=2),
            "Conv2d_2b_1x1": convolution(64, 64, 1),
            "Conv2d_2c_3x3": convolution(64, 192, 3),
        },
        {
            "MaxPool_3a_3x3": max_pool(stride=2),
            "Mixed_3b": inception(192, 64, (64, 64), (64, 96, 96), 32),
            "Mixed_3c": inception(256, 64, (64, 96), (64, 96, 96), 64),
        },
        {
            "Mixed_4a": halving_inception(320, (128, 160), (64, 96, 96)),
            "Mixed_4b": inception(576, 224, (64, 96), (96, 128, 128), 128),
            "Mixed_4c": inception(576, 192, (96, 128), (96, 128, 128), 128),
            "Mixed_4d": inception(576, 160, (128, 160), (128, 160, 160), 96),
            "Mixed_4e": inception(576, 96, (128, 192), (160, 192, 192), 96),
        },
        {
            "Mixed_5a": halving_inception(576, (128, 192), (192, 256, 256)),
            "Mixed_5b": inception(1024, 352, (192, 320), (160, 224, 224), 128),
            "Mixed_5c": inception(1024, 352, (192, 320), (192, 224, 224), 128, pool=max_pool(stride=1)),
        },
    ]


class Branches(nn.ModuleList):
    """Modules that read the same map; their outputs are stacked along the channels."""

    def forward(self, x: Float[Tensor, "B _ _ _"]) -> Float[Tensor, "B _ _ _"]:
        return torch.cat([branch(x) for branch in self], dim=1)


def inception(
    channels: int,
    single: int,
    double: tuple[int, int],
    triple: tuple[int, int, int],
    pooled: int,
    pool: nn.Module | None = None,
) -> Branches:
    """Four branches: 1x1; 1x1, 3x3; 1x1, 3x3, 3x3; and pooling (the average by default), 1x1."""
    return Branches(
        [
            convolution(channels, single, 1),
            bottleneck(channels, double),
            bottleneck(channels, triple),
            nn.Sequential(pool or average_pool(), convolution(channels, pooled, 1)),
        ]
    )


def halving_inception(channels: int, double: tuple[int, int], triple: tuple[int, int, int]) -> Branches:
    """Three branches that halve the map: 1x1, 3x3; 1x1, 3x3, 3x3; and pooling, which keeps all channels."""
    return Branches([bottleneck(channels, double, 2), bottleneck(channels, triple, 2), max_pool(stride=2)])


def bottleneck(channels: int, widths: tuple[int, ...], stride: int = 1) -> nn.Sequential:
    """A 1x1 convolution, then 3x3 ones, of `widths` output channels. The last one has the stride."""
    strides = [1] * (len(widths) - 2) + [stride]
    wide = [convolution(*ends, 3, stride=step) for ends, step in zip(pairwise(widths), strides, strict=True)]
    return nn.Sequential(convolution(channels, widths[0], 1), *wide)


def initialize(network: nn.Module) -> None:
    """Normal weights of variance 2 / fan-in (He et al. 2015), so that maps keep their scale even before batch norm."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
