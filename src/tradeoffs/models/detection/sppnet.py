"""SPP-net (He et al. 2014) on any backbone: convolutions once for an image, then a pyramid of bins for each region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.region_classifier import Described, RegionClassifier
from tradeoffs.models.layers import linear_layers
from tradeoffs.ops.roi import roi_pool

STRIDE = 16  # of the map that regions are cut out of, where the backbone has it: that of the last convolutions of VGG


class SPPNet(RegionClassifier):
    """A region is the highest values in `levels`, each with as many bins per side, then layers of some `widths`.

    They are cut out of the backbone's last map of stride 16; no stage is trained, since in training each region would
    look at the whole image (section 4.1). `dropout` follows each layer, `settings` are those of `RegionClassifier`.
    Bins are those of Fast R-CNN: a region is rounded to whole pixels of the map, and its borders are not moved inwards
    as in the paper's appendix A.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        levels: Sequence[int] = (1, 2, 3, 6),
        widths: Sequence[int] = (4096, 4096),
        dropout: float = 0.5,
        **settings: Any,
    ):
        stride = min(STRIDE, max(backbone.strides))
        place = backbone.stage_of(stride)
        super().__init__(widths[-1], backbone.channels[place], num_classes, **settings)
        self.backbone, self.map = backbone.trunk(stride), place
        self.backbone.freeze(len(self.backbone.stages))
        self.levels = tuple(levels)
        bins = sum(level**2 for level in levels)
        self.layers = linear_layers([self.backbone.channels[self.map] * bins, *widths], dropout)

    @property
    def heads(self) -> nn.ModuleList:
        return nn.ModuleList([self.layers, self.classes])

    def describe(self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "B P 4"]) -> Described:
        """Boxes have a level of their own, of `box_bins` per side."""
        place = [self.backbone(images)[self.map]], boxes, torch.zeros_like(boxes[..., 0], dtype=torch.int64)
        image_size = (images.shape[-2], images.shape[-1])
        bins = [roi_pool(*place, image_size, level).flatten(2) for level in self.levels]
        vectors = self.layers(torch.cat(bins, dim=2)[..., None])
        layouts = roi_pool(*place, image_size, self.box_bins).flatten(1)
        return Described(vectors.unflatten(0, boxes.shape[:2]), layouts.unflatten(0, boxes.shape[:2]))
