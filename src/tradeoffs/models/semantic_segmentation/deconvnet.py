"""DeconvNet (Noh et al. 2015): the backbone's mirror image behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.layers import VGG_SIDE, VGG_WIDTHS
from tradeoffs.models.semantic_segmentation.encoder import (
    BuildUpsampling,
    encode,
    levels_of,
    size_of,
    upsamplings_of,
)
from tradeoffs.models.semantic_segmentation.fcn import Flag, has_fully_connected
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter


class DeconvNet(Segmenter):
    """Maps are upsampled to the size of each map of the backbone in turn, then convolved `depth` times there.

    The mirrored maps have the channels of the backbone's; `depth` is a number, or one for each of them, the finest
    first. Between the two networks lie VGG's `fully_connected` layers and their mirror (`auto`: where the backbone's
    architecture has such), or one convolution. With `upsampling=max_unpool` on VGG16 this is the paper's network
    (table 1), but for batch norm in the backbone.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        upsampling: BuildUpsampling,
        depth: int | Sequence[int] = 2,
        fully_connected: Flag = "auto",
        **options: Any,
    ):
        super().__init__(num_classes, **options)
        self.backbone, self.levels = backbone, levels_of(backbone)
        *channels, deepest = (backbone.channels[level] for level in self.levels)
        depths = [depth] * len(channels) if isinstance(depth, int) else depth
        if len(depths) != len(channels):
            raise MismatchError(
                f"model.depth has {len(depths)} numbers; give one, or {len(channels)} for the maps of this backbone"
            )
        middle = FullyConnected if has_fully_connected(backbone, fully_connected) else Conv2dNormActivation
        self.middle = middle(deepest, channels[-1])
        self.upsamplings = upsamplings_of(upsampling, channels, backbone)
        following = [channels[0], *channels[:-1]]
        self.towers = nn.ModuleList(
            nn.Sequential(*(Conv2dNormActivation(own, own) for _ in range(count - 1)), Conv2dNormActivation(own, finer))
            for own, finer, count in zip(channels, following, depths, strict=True)
        )
        self.heads = nn.ModuleList([nn.Conv2d(channels[0], num_classes, kernel_size=1)])

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        maps, positions = encode(self.backbone, images, self.upsamplings[0].needs_positions)
        *mirrored, x = (maps[level] for level in self.levels)
        x, pooled = self.middle(x), [positions[level] for level in self.levels[1:]]
        steps = zip(mirrored, self.upsamplings, pooled, self.towers, strict=True)
        for own, upsample, where, tower in reversed(list(steps)):
            x = tower(upsample(x, size_of(own), where))
        return self.heads[0](x)


class FullyConnected(nn.Module):
    """fc6 and fc7 of VGG as convolutions, and the transposed one of fc6. Maps below 7 x 7 are padded for them."""

    def __init__(self, channels: int, following: int):
        super().__init__()
        first, second = VGG_WIDTHS
        self.layers = nn.Sequential(
            Conv2dNormActivation(channels, first, VGG_SIDE, padding=0),
            Conv2dNormActivation(first, second, kernel_size=1),
            nn.ConvTranspose2d(second, following, VGG_SIDE, bias=False),
            nn.BatchNorm2d(following),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Float[Tensor, "B _ _ _"]) -> Float[Tensor, "B _ _ _"]:
        height, width = size_of(x)
        missing = (0, max(VGG_SIDE - width, 0), 0, max(VGG_SIDE - height, 0))
        return self.layers(F.pad(x, missing))[..., :height, :width]
