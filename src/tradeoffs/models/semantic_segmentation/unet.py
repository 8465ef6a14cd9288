"""U-Net (Ronneberger et al. 2015) on any backbone."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.semantic_segmentation.encoder import (
    BuildUpsampling,
    encode,
    levels_of,
    size_of,
    upsamplings_of,
)
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter


class UNet(Segmenter):
    """The backbone's maps are the contracting path; the expansive one upsamples, appends the map and convolves twice.

    The expansive path has `channels` at stride 1 and twice as many at each coarser map, up to `most_channels` (figure 1
    of the paper, without its last halving). Convolutions pad, and have batch norm, both of which came later.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        upsampling: BuildUpsampling,
        channels: int = 16,
        most_channels: int = 256,
        **options: Any,
    ):
        super().__init__(num_classes, **options)
        self.backbone, self.levels = backbone, levels_of(backbone)
        *skips, deepest = (backbone.channels[level] for level in self.levels)
        widths = [min(channels * backbone.strides[level], most_channels) for level in self.levels[:-1]]
        self.squeezes = nn.ModuleList(
            Conv2dNormActivation(below, width, kernel_size=1)
            for below, width in zip([*widths[1:], deepest], widths, strict=True)
        )
        self.upsamplings = upsamplings_of(upsampling, widths, backbone)
        self.merges = nn.ModuleList(
            nn.Sequential(Conv2dNormActivation(skip + width, width), Conv2dNormActivation(width, width))
            for skip, width in zip(skips, widths, strict=True)
        )
        self.heads = nn.ModuleList([nn.Conv2d(widths[0], num_classes, kernel_size=1)])

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        maps, positions = encode(self.backbone, images, self.upsamplings[0].needs_positions)
        *skips, x = (maps[level] for level in self.levels)
        pooled = [positions[level] for level in self.levels[1:]]
        steps = zip(skips, self.squeezes, self.upsamplings, pooled, self.merges, strict=True)
        for skip, squeeze, upsample, where, merge in reversed(list(steps)):
            x = upsample(squeeze(x), size_of(skip), where)
            x = merge(torch.cat([skip, x], dim=1))
        return self.heads[0](x)
