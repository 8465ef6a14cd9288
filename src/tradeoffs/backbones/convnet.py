"""A small plain network in the manner of Farabet et al. 2013, for whole images or for patches of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.weights import load_weights
from tradeoffs.errors import UserError


def convnet(
    weights: str = "none",
    channels: Sequence[int] = (16, 64, 256),
    kernel_size: int = 7,
    padding: int = 0,
    frozen_stages: int = 0,
) -> Backbone:
    """One convolution with ReLU a stage, and between them max pooling that halves.

    By default widths and kernels are the paper's, whose activation is tanh: a pixel of the last map, of stride 4, sees
    46 x 46 pixels. Without `padding` maps are smaller than size / stride. `weights` is `none` or a file's path.
    """
    if weights == "pretrained":
        raise UserError("backbone.weights=pretrained: there are none of convnet; give none or a file's path")
    stages = []
    for inputs, outputs in pairwise([3, *channels]):
        convolution = nn.Conv2d(inputs, outputs, kernel_size, padding=padding)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        pooling = [nn.MaxPool2d(2)] if stages else []
        stages.append(nn.Sequential(*pooling, convolution, nn.ReLU(inplace=True)))
    if weights != "none":
        load_weights(nn.Sequential(*stages), Path(weights))
    return Backbone(stages, channels, [2**place for place in range(len(stages))], frozen_stages=frozen_stages)
