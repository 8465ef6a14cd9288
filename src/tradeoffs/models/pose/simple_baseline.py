"""Simple baselines (Xiao et al. 2018): a backbone, a few transposed convolutions, and a heatmap for each joint."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.pose.heatmap_model import HeatmapModel


class SimpleBaseline(HeatmapModel):
    """Each of `layers` transposed convolutions (4x4, batch norm, ReLU) doubles the size of the backbone's last map.

    `options` are those of every `HeatmapModel`.
    """

    def __init__(self, backbone: Backbone, num_classes: int, layers: int = 3, channels: int = 256, **options: Any):
        super().__init__(num_classes, **options)
        self.backbone = backbone
        inputs = [backbone.channels[-1], *[channels] * (layers - 1)]
        self.upsampling = nn.Sequential(*(upsampling(number, channels) for number in inputs))
        last = nn.Conv2d(channels, num_classes, kernel_size=1)
        nn.init.normal_(last.weight, std=0.001)  # as in the authors' code
        nn.init.zeros_(last.bias)
        self.heads = nn.ModuleList([last])

    def heatmaps(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 1 J h w"]:
        return self.heads[0](self.upsampling(self.backbone(images)[-1]))[:, None]


def upsampling(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1, bias=False)
    nn.init.normal_(layer.weight, std=0.001)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
