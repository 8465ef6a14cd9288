"""DeepLabv3 (Chen et al. 2017) on any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.semantic_segmentation.encoder import size_of
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter

Map = Float[Tensor, "B _ h w"]
RATES = 6, 12, 18  # at output stride 16 (section 3.3)


class DeepLabV3(Segmenter):
    """Atrous spatial pyramid pooling on the backbone's last map, one more convolution as torchvision has, and scores.

    `rates` are those of the atrous convolutions, by default the paper's for this output stride: 6, 12, 18 at 16 and
    twice that at 8.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        rates: Sequence[int] | None = None,
        channels: int = 256,
        dropout: float = 0.5,
        **options: Any,
    ):
        super().__init__(num_classes, **options)
        self.backbone = backbone
        rates = rates or [max(rate * 16 // backbone.strides[-1], 1) for rate in RATES]
        self.pyramid = PyramidPooling(backbone.channels[-1], channels, rates, dropout)
        self.merge = Conv2dNormActivation(channels, channels)
        self.heads = nn.ModuleList([nn.Conv2d(channels, num_classes, kernel_size=1)])

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        return self.heads[0](self.merge(self.pyramid(self.backbone(images)[-1])))


class PyramidPooling(nn.Module):
    """A 1x1 convolution, one of 3x3 for each rate, and the mean of the whole map, side by side (figure 5)."""

    def __init__(self, inputs: int, channels: int, rates: Sequence[int], dropout: float):
        super().__init__()
        self.branches = nn.ModuleList(
            [
                Conv2dNormActivation(inputs, channels, kernel_size=1),
                *(Conv2dNormActivation(inputs, channels, dilation=rate) for rate in rates),
            ]
        )
        self.image = nn.Sequential(nn.AdaptiveAvgPool2d(1), Conv2dNormActivation(inputs, channels, kernel_size=1))
        self.project = Conv2dNormActivation((len(rates) + 2) * channels, channels, kernel_size=1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Map) -> Map:
        image = F.interpolate(self.image(x), size=size_of(x))  # one pixel, everywhere
        maps = [branch(x) for branch in self.branches]
        return self.dropout(self.project(torch.cat([*maps, image], dim=1)))
