"""The second stage of Faster R-CNN: maps cropped to boxes, and the layers that look at each crop."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from tradeoffs.models.layers import linear_layers
from tradeoffs.ops.roi import pyramid_levels, roi_align

Map = Float[Tensor, "B _ _ _"]


class RegionHead(nn.Module):
    """Crops of each box, `size` x `size`, the `stages` that look at them, and the `linear` layers after those.

    A box is cropped from that of the maps of `strides` that fits it; further maps are not looked at. `samples` x
    `samples` points are averaged for each pixel of a crop. `channels` is how long the vectors are that come out.
    """

    def __init__(
        self,
        stages: nn.Module,
        linear: nn.Module,
        channels: int,
        strides: Sequence[int],
        size: int,
        samples: int,
    ):
        super().__init__()
        self.stages, self.linear, self.channels = stages, linear, channels
        self.strides, self.size, self.samples = tuple(strides), size, samples

    def forward(
        self, maps: Sequence[Map], boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> Float[Tensor, "B P _"]:
        levels = pyramid_levels(boxes, self.strides)
        crops = roi_align(maps[: len(self.strides)], boxes, levels, image_size, self.size, self.samples)
        return self.linear(self.stages(crops)).unflatten(0, boxes.shape[:2])


def last_stages(
    rest: nn.Module,
    channels: int,
    strides: tuple[int, int],
    crop_size: int = 14,
    fully_connected: Sequence[int] = (),
    dropout: float = 0.0,
) -> RegionHead:
    """The `rest` of a backbone looks at crops of the map before it (Huang et al. 2017, table 2).

    `strides` are those of that map and of the backbone's last one. A crop is halved once: by max pooling where the rest
    is dilated and does not do it. Crops have few pixels, so on them nothing is dilated. What the rest sees is averaged,
    or goes through `fully_connected` layers of those widths instead.
    """
    halve = nn.Identity() if strides[1] > strides[0] else nn.MaxPool2d(2)
    side = crop_size // 2 if fully_connected else 1
    widths = [channels * side**2, *fully_connected]
    stages = nn.Sequential(halve, undilated(rest), nn.AdaptiveAvgPool2d(side))
    return RegionHead(stages, linear_layers(widths, dropout), widths[-1], strides[:1], crop_size, samples=1)


def undilated(stages: nn.Module) -> nn.Module:
    """The same layers, changed in place so that each looks at neighbouring pixels."""
    for layer in stages.modules():
        if isinstance(layer, nn.Conv2d) and layer.dilation != (1, 1):
            layer.padding = tuple(side // step for side, step in zip(layer.padding, layer.dilation, strict=True))
            layer.dilation = (1, 1)
    return stages


def pyramid_head(channels: int, strides: Sequence[int], widths: Sequence[int], size: int = 7) -> RegionHead:
    """Layers of some `widths` look at crops of a feature pyramid (Lin et al. 2017, section 4.2)."""
    widths = [channels * size**2, *widths]
    return RegionHead(nn.Identity(), linear_layers(widths), widths[-1], strides, size, samples=2)
