"""R-CNN (Girshick et al. 2014) on any backbone: every region is an image of its own, which goes through all of it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.detection.region_classifier import Described, RegionClassifier
from tradeoffs.models.layers import ImageVector
from tradeoffs.ops.warping import enlarge, warp


class RCNN(RegionClassifier):
    """A region is warped to `crop_size` x `crop_size` pixels, `context` of which on each side lie around it.

    Pixels that are missing there have the backbone's mean colour, rounded to a whole number (appendix A). `head` and
    `dropout` are those of `ImageVector`, `settings` those of `RegionClassifier`. `chunk` crops are seen at a time,
    unless they are trained on.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        crop_size: int = 224,
        context: int = 16,
        chunk: int = 64,
        head: str = "auto",
        dropout: float | None = None,
        **settings: Any,
    ):
        if crop_size <= 2 * context:
            raise MismatchError(f"model.context={context} fills model.crop_size={crop_size}; choose {crop_size // 14}")
        vector = ImageVector(backbone, head=head, dropout=dropout)
        super().__init__(vector.channels, backbone.channels[-1], num_classes, **settings)
        self.backbone, self.vector = backbone, vector
        self.crop_size, self.context, self.chunk = crop_size, context, chunk

    def describe(self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "B P 4"]) -> Described:
        return self._in_chunks(images, boxes, len(images) * boxes.shape[1])

    def describe_many(self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "B P 4"]) -> Described:
        return self._in_chunks(images, boxes, self.chunk)

    def _in_chunks(self, images: Tensor, boxes: Tensor, chunk: int) -> Described:
        rows = torch.arange(len(images), device=boxes.device).repeat_interleave(boxes.shape[1])
        parts = zip(boxes.flatten(0, 1).split(chunk), rows.split(chunk), strict=True)
        seen = [self._see(self.crops(images, *part)) for part in parts]
        vectors, layouts = (torch.cat(each).unflatten(0, boxes.shape[:2]) for each in zip(*seen, strict=True))
        return Described(vectors, layouts)

    def _see(self, crops: UInt8[Tensor, "N 3 _ _"]) -> tuple[Float[Tensor, "N _"], Float[Tensor, "N _"]]:
        """The boxes' part is the last map (pool5 in the paper), which still tells left from right."""
        last = self.backbone(crops)[-1]
        return self.vector(last), F.adaptive_avg_pool2d(last, self.box_bins).flatten(1)

    def crops(
        self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "N 4"], rows: Int64[Tensor, " N"]
    ) -> UInt8[Tensor, "N 3 _ _"]:
        """What the backbone sees of boxes in the images `rows`."""
        mean = (-self.backbone.shift / self.backbone.scale).float()
        wide = enlarge(boxes.float(), self.crop_size, self.context)
        return (warp(images - mean, wide, rows, self.crop_size) + mean).round().clamp(0, 255).to(torch.uint8)
