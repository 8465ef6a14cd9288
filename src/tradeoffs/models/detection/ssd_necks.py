"""The feature maps SSD looks at: some of the backbone's, and smaller ones computed from the last of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.layers import Convolution

Map = Float[Tensor, "B _ _ _"]


class ExtraLayers(nn.Module):
    """Backbone maps of the strides `sources`, and one map of half the size for each of `extra_channels`.

    Each extra map comes from a 1x1 convolution to half its channels and a 3x3 of stride 2, both with batch norm and
    ReLU6 (Huang et al. 2017, section 3.6, and its code).
    """

    def __init__(self, backbone: Backbone, sources: Sequence[int], extra_channels: Sequence[int]):
        super().__init__()
        self.sources = [backbone.stage_of(stride) for stride in sources]
        self.last_stride = max(sources)
        self.channels = [backbone.channels[index] for index in self.sources] + list(extra_channels)
        inputs = self.channels[len(self.sources) - 1 :]
        self.extra = nn.ModuleList(
            nn.Sequential(
                *_convolution(channels, following // 2, kernel_size=1),
                *_convolution(following // 2, following, kernel_size=3, stride=2, padding=1),
            )
            for channels, following in pairwise(inputs)
        )

    def forward(self, features: list[Map]) -> list[Map]:
        maps = [features[index] for index in self.sources]
        for layer in self.extra:
            maps.append(layer(maps[-1]))
        return maps


class VGGNeck(nn.Module):
    """SSD300's maps on VGG16: conv4_3 with its L2 norm rescaled, fc7 made convolutional with holes, and extra ones.

    Two extra maps halve the one before, the others cut its border off (Liu et al. 2016, figure 2 and section 3.1).
    """

    def __init__(
        self,
        backbone: Backbone,
        sources: Sequence[int] = (8, 16),
        extra_channels: Sequence[int] = (512, 256, 256, 256),
    ):
        super().__init__()
        self.sources = [backbone.stage_of(stride) for stride in sources]
        self.last_stride = max(sources)
        normed, deepest = (backbone.channels[index] for index in self.sources)
        self.channels = [normed, 1024, *extra_channels]
        self.scale = nn.Parameter(torch.full((normed,), 20.0))
        self.fc = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1),
            nn.Conv2d(deepest, 1024, kernel_size=3, padding=6, dilation=6),
            nn.ReLU(inplace=True),
            nn.Conv2d(1024, 1024, kernel_size=1),
            nn.ReLU(inplace=True),
        )
        halving = {"stride": 2, "padding": 1}
        options = [halving] * 2 + [{}] * (len(extra_channels) - 2)
        self.extra = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, following // 2, kernel_size=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(following // 2, following, kernel_size=3, **option),
                nn.ReLU(inplace=True),
            )
            for (channels, following), option in zip(pairwise(self.channels[1:]), options, strict=True)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def forward(self, features: list[Map]) -> list[Map]:
        conv4_3, conv5_3 = (features[index] for index in self.sources)
        maps = [self.scale.view(-1, 1, 1) * F.normalize(conv4_3, dim=1), self.fc(conv5_3)]
        for layer in self.extra:
            maps.append(layer(_at_least_3x3(maps[-1])))
        return maps


def _convolution(channels: int, following: int, **options) -> list[nn.Module]:
    convolution = Convolution(channels, following, bias=False, **options)
    nn.init.trunc_normal_(convolution.weight, std=0.03)  # Huang et al. 2017, section 3.6
    return [convolution, nn.BatchNorm2d(following), nn.ReLU6(inplace=True)]


def _at_least_3x3(x: Map) -> Map:
    """The last layers have no padding: images of under 300 px leave them maps that are too small without this."""
    height, width = x.shape[-2:]
    return F.pad(x, (0, max(3 - width, 0), 0, max(3 - height, 0))) if min(height, width) < 3 else x
