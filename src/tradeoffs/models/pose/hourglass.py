"""Stacked hourglass networks (Newell et al. 2016), as in the authors' code where the paper is silent."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.pose.heatmap_model import HeatmapModel

Map = Float[Tensor, "B _ _ _"]


class Hourglass(HeatmapModel):
    """A stem to a quarter of the size, then `stacks` hourglasses of `channels`, each with heatmaps that learn.

    Each stack but the last gives its features and its heatmaps on to the next (section 3.3). Of `depth` halvings each
    must be whole: sides of images are multiples of 4 * 2^depth. `backbone` only normalizes. `options` are those of
    every `HeatmapModel`. With 16 joints 8 stacks have 25.4 million weights; the well-known port to PyTorch, whose stem
    is wider than the authors', 25.6. Raises MismatchError for a backbone with stages.
    """

    def __init__(
        self, backbone: Backbone, num_classes: int, stacks: int = 8, channels: int = 256, depth: int = 4, **options: Any
    ):
        super().__init__(num_classes, **options)
        if len(backbone.stages):
            raise MismatchError("model=hourglass has layers of its own in place of a backbone; give backbone=none")
        self.backbone, self.depth = backbone, depth
        self.stem = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3),
            *after(64),
            Residual(64, channels // 2),
            nn.MaxPool2d(2),
            Residual(channels // 2, channels // 2),
            Residual(channels // 2, channels),
        )
        self.hourglasses = nn.ModuleList(HourglassModule(channels, depth) for _ in range(stacks))
        self.features = nn.ModuleList(
            nn.Sequential(Residual(channels, channels), nn.Conv2d(channels, channels, 1), *after(channels))
            for _ in range(stacks)
        )
        self.heads = nn.ModuleList(nn.Conv2d(channels, num_classes, 1) for _ in range(stacks))
        self.from_features = nn.ModuleList(nn.Conv2d(channels, channels, 1) for _ in range(stacks - 1))
        self.from_heatmaps = nn.ModuleList(nn.Conv2d(num_classes, channels, 1) for _ in range(stacks - 1))

    def heatmaps(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B S J h w"]:
        whole = 4 * 2**self.depth
        if images.shape[-1] % whole or images.shape[-2] % whole:
            raise MismatchError(
                f"model=hourglass halves images {self.depth + 2} times; give image_size= a multiple of {whole}"
            )
        x, found = self.stem(self.backbone.normalize(images)), []
        for stack, (hourglass, features, head) in enumerate(
            zip(self.hourglasses, self.features, self.heads, strict=True)
        ):
            own = features(hourglass(x))
            found.append(head(own))
            if stack < len(self.from_features):
                x = x + self.from_features[stack](own) + self.from_heatmaps[stack](found[-1])
        return torch.stack(found, dim=1)


class HourglassModule(nn.Module):
    """Down to 1 / 2^depth of the size and up again, with a branch beside it at each size (section 3.1)."""

    def __init__(self, channels: int, depth: int):
        super().__init__()
        self.beside, self.before, self.behind = (
            nn.ModuleList(Residual(channels, channels) for _ in range(depth)) for _ in range(3)
        )
        self.bottom = Residual(channels, channels)

    def forward(self, x: Map) -> Map:
        branches = []
        for beside, before in zip(self.beside, self.before, strict=True):
            branches.append(beside(x))
            x = before(F.max_pool2d(x, 2))
        x = self.bottom(x)
        for branch, behind in zip(reversed(branches), self.behind, strict=True):
            x = branch + F.interpolate(behind(x), scale_factor=2.0, mode="nearest")
        return x


class Residual(nn.Module):
    """Convolutions of 1, 3 and 1 pixels, each after batch norm and ReLU, around which the input is added (figure 4)."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        middle = outputs // 2
        self.layers = nn.Sequential(
            *(*after(inputs), nn.Conv2d(inputs, middle, 1)),
            *(*after(middle), nn.Conv2d(middle, middle, 3, padding=1)),
            *(*after(middle), nn.Conv2d(middle, outputs, 1)),
        )
        self.shortcut = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Map) -> Map:
        return self.shortcut(x) + self.layers(x)


def after(channels: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(channels), nn.ReLU()
