"""The second stage of Faster R-CNN: maps cropped to boxes, and the layers that look at each crop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from tradeoffs.errors import UserError
from tradeoffs.models.layers import linear_layers
from tradeoffs.ops.roi import pyramid_levels, roi_align, roi_pool

Map = Float[Tensor, "B _ _ _"]

POOLINGS = ("roi_align", "roi_align_half_pixel", "roi_pool")


class RegionMaps(nn.Module):
    """Crops of each box, `size` x `size`, and the `stages` that look at them.

    A box is cropped from that of the maps of `strides` that fits it; further maps are not looked at. `pooling` is
    `roi_align`, which averages `samples` x `samples` points for each pixel of a crop, `roi_align_half_pixel`, where
    maps lie half a pixel of theirs further (see `roi_align`), or `roi_pool`, which takes the highest.
    """

    def __init__(self, stages: nn.Module, strides: Sequence[int], size: int, samples: int, pooling: str = "roi_align"):
        super().__init__()
        if pooling not in POOLINGS:
            raise UserError(f"model.pooling={pooling} is unknown; choose {', '.join(POOLINGS)}")
        self.stages, self.strides = stages, tuple(strides)
        self.size, self.samples, self.pooling = size, samples, pooling

    def look(
        self, maps: Sequence[Map], boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> Float[Tensor, "B*P _ _ _"]:
        """What the stages make of each box's crop."""
        place = maps[: len(self.strides)], boxes, pyramid_levels(boxes, self.strides), image_size, self.size
        if self.pooling == "roi_pool":
            return self.stages(roi_pool(*place))
        return self.stages(roi_align(*place, self.samples, half_pixel=self.pooling == "roi_align_half_pixel"))


class RegionHead(RegionMaps):
    """What is seen of each box as one vector of `channels` numbers: the map, averaged to what `pool` says, then layers.

    `settings` are those of `RegionMaps`.
    """

    def __init__(self, stages: nn.Module, pool: nn.Module, linear: nn.Module, channels: int, **settings: Any):
        super().__init__(stages, **settings)
        self.pool, self.linear, self.channels = pool, linear, channels

    def forward(
        self, maps: Sequence[Map], boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> Float[Tensor, "B P _"]:
        return self.describe(self.look(maps, boxes, image_size)).unflatten(0, boxes.shape[:2])

    def describe(self, seen: Float[Tensor, "R _ _ _"]) -> Float[Tensor, "R _"]:
        return self.linear(self.pool(seen))


def last_stages(
    rest: nn.Module,
    channels: int,
    strides: tuple[int, int],
    crop_size: int = 14,
    fully_connected: Sequence[int] = (),
    dropout: float = 0.0,
    pooling: str = "roi_align",
) -> RegionHead:
    """The `rest` of a backbone looks at crops of the map before it (Huang et al. 2017, table 2).

    `strides` are those of that map and of the backbone's last one. A crop is halved once: by max pooling where the rest
    is dilated and does not do it. Crops have few pixels, so on them nothing is dilated. What the rest sees is averaged,
    or goes through `fully_connected` layers of those widths instead.
    """
    halve = nn.Identity() if strides[1] > strides[0] else nn.MaxPool2d(2)
    side = crop_size // 2 if fully_connected else 1
    widths = [channels * side**2, *fully_connected]
    stages, pool = nn.Sequential(halve, undilated(rest)), nn.AdaptiveAvgPool2d(side)
    crops = {"strides": strides[:1], "size": crop_size, "samples": 1, "pooling": pooling}
    return RegionHead(stages, pool, linear_layers(widths, dropout), widths[-1], **crops)


def undilated(stages: nn.Module) -> nn.Module:
    """The same layers, changed in place so that each looks at neighbouring pixels."""
    for layer in stages.modules():
        if isinstance(layer, nn.Conv2d) and layer.dilation != (1, 1):
            layer.padding = tuple(side // step for side, step in zip(layer.padding, layer.dilation, strict=True))
            layer.dilation = (1, 1)
    return stages


def pyramid_head(
    channels: int, strides: Sequence[int], widths: Sequence[int], size: int = 7, pooling: str = "roi_align"
) -> RegionHead:
    """Layers of some `widths` look at crops of a feature pyramid (Lin et al. 2017, section 4.2)."""
    widths = [channels * size**2, *widths]
    crops = {"strides": strides, "size": size, "samples": 2, "pooling": pooling}
    return RegionHead(nn.Identity(), nn.Identity(), linear_layers(widths), widths[-1], **crops)
