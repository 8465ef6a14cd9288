"""Convolutions at full resolution (Stanford CS231n 2017, lecture 11): nothing is downsampled, which is expensive."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.timm import WholeBackbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter


class FullResolution(Segmenter):
    """The first `stages` of the backbone with all strides 1, and classes scored on each pixel of the last map.

    The weights are those of the backbone, but a kernel sees less of the image than it does there.
    """

    def __init__(self, backbone: Backbone, num_classes: int, stages: int = 3, **options: Any):
        super().__init__(num_classes, **options)
        if isinstance(backbone, WholeBackbone):
            raise MismatchError("model=full_resolution needs a backbone that is a sequence of stages; choose another")
        if stages > len(backbone.stages):
            raise MismatchError(f"model.stages={stages}; this backbone has {len(backbone.stages)}")
        self.backbone = backbone.first(stages)
        without_strides(self.backbone)
        self.backbone.strides = (1,) * stages
        self.heads = nn.ModuleList([nn.Conv2d(backbone.channels[stages - 1], num_classes, kernel_size=1)])

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        return self.heads[0](self.backbone(images)[-1])


def without_strides(network: nn.Module) -> None:
    """Sets the strides of all layers in it to 1. Pooling of an even side repeats the border, to keep a map's size."""
    for name, layer in network.named_children():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
        elif isinstance(layer, nn.MaxPool2d | nn.AvgPool2d):
            layer.stride = (1, 1)
            if layer.kernel_size in (2, (2, 2)) and layer.padding in (0, (0, 0)):
                setattr(network, name, nn.Sequential(nn.ReplicationPad2d((0, 1, 0, 1)), layer))
        without_strides(layer)
