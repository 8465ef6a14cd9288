"""Fully convolutional networks (Long et al. 2015; Shelhamer et al. 2017) on any backbone."""

from __future__ import annotations

from typing import Any, Literal

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.layers import VGG_SIDE, VGG_WIDTHS
from tradeoffs.models.semantic_segmentation.encoder import BuildUpsampling, size_of
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter

Flag = Literal["auto"] | bool


class FCN(Segmenter):
    """Classes are scored on the last map and on finer ones down to `stride`, and the scores added from coarse to fine.

    Stride 32, 16 and 8 are FCN-32s, FCN-16s and FCN-8s; the first map is the backbone's last one. The scores of finer
    maps begin as zero. `fully_connected` layers, VGG's fc6 and fc7 made convolutional, precede the first scores;
    `auto` has them where the backbone's architecture does. They pad here, where the authors' code pads images by 100
    pixels and crops. On VGG16 finer maps are conv5_3 and conv4_3, where the paper scores these maps pooled.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        upsampling: BuildUpsampling,
        stride: int = 8,
        fully_connected: Flag = "auto",
        dropout: float = 0.5,
        **options: Any,
    ):
        super().__init__(num_classes, **options)
        self.backbone = backbone
        deepest = max(backbone.strides)
        finer = [each for each in (32, 16, 8) if stride <= each < deepest]
        self.sources = [backbone.stage_of(each) for each in ([deepest, *finer] if stride <= deepest else [stride])]
        channels = [backbone.channels[source] for source in self.sources]
        self.deep = nn.Sequential()
        if has_fully_connected(backbone, fully_connected):
            self.deep = convolutional_layers(channels[0], dropout)
            channels[0] = VGG_WIDTHS[-1]
        self.heads = nn.ModuleList(nn.Conv2d(each, num_classes, kernel_size=1) for each in channels)
        self.upsamplings = nn.ModuleList(upsampling(num_classes) for _ in finer)
        if any(module.needs_positions for module in self.upsamplings):
            raise MismatchError(
                "upsampling=max_unpool is not for model=fcn, whose maps are scores of classes; choose another"
            )
        for head in self.heads[1:]:
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        maps = self.backbone(images)
        coarse, *finer = (maps[source] for source in self.sources)
        first, *others = self.heads
        x = first(self.deep(coarse))
        for upsampling, head, fine in zip(self.upsamplings, others, finer, strict=True):
            x = upsampling(x, size_of(fine)) + head(fine)
        return x


def has_fully_connected(backbone: Backbone, choice: Flag) -> bool:
    return backbone.head == "fully_connected" if choice == "auto" else choice


def convolutional_layers(channels: int, dropout: float) -> nn.Sequential:
    """fc6 and fc7 of VGG as convolutions that keep the size of a map."""
    first, second = VGG_WIDTHS
    return nn.Sequential(
        nn.Conv2d(channels, first, VGG_SIDE, padding=VGG_SIDE // 2),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
        nn.Conv2d(first, second, kernel_size=1),
        nn.ReLU(inplace=True),
        nn.Dropout(dropout),
    )
