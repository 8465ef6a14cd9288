"""What detectors on a pyramid share: towers of convolutions that are the same for all maps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from tradeoffs.models.detection.heads import rows

Map = Float[Tensor, "B _ _ _"]


def convolution(channels: int, outputs: int, bias: float = 0.0) -> nn.Conv2d:
    """A 3x3 convolution whose outputs start near `bias` (Lin et al. 2017b, section 4.1)."""
    layer = nn.Conv2d(channels, outputs, kernel_size=3, padding=1)
    nn.init.normal_(layer.weight, std=0.01)
    nn.init.constant_(layer.bias, bias)
    return layer


def tower(channels: int, depth: int, norm: Callable[[int], nn.Module] | None = None) -> nn.Sequential:
    """`depth` 3x3 convolutions, each with ReLU and, if given, a norm before it (Lin et al. 2017b, section 4)."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [convolution(channels, channels), *([norm(channels)] if norm else []), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def group_norm(channels: int) -> nn.GroupNorm:
    """32 groups (Wu and He 2018, section 3), or as many as the channels allow."""
    return nn.GroupNorm(math.gcd(32, channels), channels)


def rows_of(maps: Sequence[Map], tower: nn.Module, head: nn.Module, columns: int) -> Float[Tensor, "B A {columns}"]:
    """The `rows` of all maps, map by map."""
    return torch.cat([rows(head(tower(x)), columns) for x in maps], dim=1)


def levels_of(maps: Sequence[Map], per_location: int = 1) -> Int64[Tensor, " A"]:
    """Which map each row comes from."""
    counts = [x.shape[-2] * x.shape[-1] * per_location for x in maps]
    return torch.cat([torch.full((count,), k, device=maps[0].device) for k, count in enumerate(counts)])
