"""Layers that several models use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone

# Simonyan and Zisserman 2015, table 1 and section 3.1: side of the map that the layers look at, their widths, dropout.
VGG_SIDE, VGG_WIDTHS, VGG_DROPOUT = 7, (4096, 4096), 0.5


class Convolution(nn.Conv2d):
    """A convolution that pads maps of one pixel to four, which changes nothing but avoids a fault.

    In bfloat16 on a CPU, torch (2.15) computes wrong gradients for 3x3 kernels of stride 2 on a single pixel.
    """

    def forward(self, x: Float[Tensor, "B _ _ _"]) -> Float[Tensor, "B _ _ _"]:
        single = x.shape[-2:] == (1, 1) and self.stride == (2, 2)
        return super().forward(F.pad(x, (0, 1, 0, 1)) if single else x)


class ImageVector(nn.Sequential):
    """The last map of a backbone as one vector of `channels` numbers for the whole image.

    `head` is `pool`, global average pooling (Lin et al. 2014, section 3.2), or `fully_connected`, layers of `widths`
    as VGG has them, for which the map is averaged to 7 x 7 pixels; `auto` is what the backbone's architecture has.
    `dropout` follows the pooling, by default 0, or each of the layers, by default 0.5.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: str = "auto",
        dropout: float | None = None,
        widths: Sequence[int] = VGG_WIDTHS,
    ):
        head, channels = backbone.head if head == "auto" else head, backbone.channels[-1]
        if head == "pool":
            super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout or 0.0))
            self.channels = channels
        else:
            layers = linear_layers([channels * VGG_SIDE**2, *widths], VGG_DROPOUT if dropout is None else dropout)
            super().__init__(nn.AdaptiveAvgPool2d(VGG_SIDE), *layers)
            self.channels = widths[-1]


def linear_layers(widths: Sequence[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with ReLU, from `widths[0]` inputs to `widths[-1]` outputs; none if that is one number."""
    layers: list[nn.Module] = [FlattenChannelsLast()]
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*layers)


class FlattenChannelsLast(nn.Module):
    """All channels of the first pixel, then those of the next: as crops lie in memory, so that nothing is copied."""

    def forward(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N C*H*W"]:
        return x.permute(0, 2, 3, 1).flatten(1)


def truncate_linear(layer: nn.Linear, rank: int) -> nn.Sequential:
    """Two layers that together are the matrix of this `rank` which is nearest to the layer's (Girshick 2015, 3.1).

    The first has no biases. A rank above that of any matrix of this shape is the highest possible one.
    """
    u, values, v = torch.linalg.svd(layer.weight.detach(), full_matrices=False)
    rank = min(rank, len(values))
    device, dtype = layer.weight.device, layer.weight.dtype
    first = nn.Linear(layer.in_features, rank, bias=False, device=device, dtype=dtype)
    second = nn.Linear(rank, layer.out_features, bias=layer.bias is not None, device=device, dtype=dtype)
    with torch.no_grad():
        first.weight.copy_(values[:rank, None] * v[:rank])
        second.weight.copy_(u[:, :rank])
        if layer.bias is not None:
            second.bias.copy_(layer.bias)
    return nn.Sequential(first, second)
