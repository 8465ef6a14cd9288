"""Fast R-CNN (Girshick 2015) on any backbone: regions come from outside, the image is looked at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection.region_head import last_stages
from tradeoffs.models.detection.second_stage import SecondStage
from tradeoffs.models.detection.two_stage import (
    POSITIVES,
    RegionOutput,
    Samples,
    first_regions,
    hard_samples,
    label_proposals,
    region_losses,
    sample,
    with_truth,
)
from tradeoffs.models.layers import truncate_linear
from tradeoffs.structures import Regions, Targets


class FastRCNN(SecondStage):
    """What is in the best `num_proposals` regions and where exactly; `settings` are those of `SecondStage`.

    It is trained on `sampled` of the best `train_proposals` regions of each image and its objects themselves, a quarter
    of them objects. Background overlaps an object by `background_from` or more (section 2.3). With `ohem` it is trained
    on those of highest loss instead, whatever they are and overlap (Shrivastava et al. 2016).
    """

    def __init__(self, *parts: Any, background_from: float = 0.1, ohem: bool = False, **settings: Any):
        super().__init__(*parts, **settings)
        self.background_from, self.ohem = background_from, ohem

    def forward(self, images: UInt8[Tensor, "B 3 H W"], regions: Regions) -> RegionOutput:
        best = first_regions(regions, self.num_proposals)
        image_size = (images.shape[-2], images.shape[-1])
        return RegionOutput(*best, *self.second_stage(self.maps(images), best.boxes, image_size))

    def losses(
        self, images: UInt8[Tensor, "B 3 H W"], regions: Regions, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        """Of regions that are sampled."""
        maps, image_size = self.maps(images), (images.shape[-2], images.shape[-1])
        proposals = with_truth(first_regions(regions, self.train_proposals), targets)
        if self.ohem:
            samples = self.hardest(label_proposals(proposals, targets), maps, targets, image_size)
        else:
            labelled = label_proposals(proposals, targets, background_from=self.background_from)
            samples = sample(labelled, self.sampled, POSITIVES)
        return self._weighted(self.losses_of(samples, maps, targets, image_size))

    @torch.no_grad()
    def hardest(
        self, samples: Samples, maps: list[Float[Tensor, "B _ _ _"]], targets: Targets, image_size: tuple[int, int]
    ) -> Samples:
        """Those of highest loss. All are looked at, but without a gradient, which would take much memory."""
        logits, offsets = self.second_stage(maps, samples.boxes, image_size)
        boxes, classes = region_losses(logits.float(), offsets.float(), samples, targets, self.beta)
        losses = self.localization_weight * boxes + self.classification_weight * classes
        return hard_samples(samples, losses, self.sampled)

    def compress(self, ranks: Sequence[int]) -> None:
        """The head's fully connected layers become pairs of these ranks, first to last (section 3.1).

        What a checkpoint holds no longer fits then: load it before. Raises UserError where there are no such layers.
        """
        places = [index for index, layer in enumerate(self.head.linear) if isinstance(layer, nn.Linear)]
        if len(ranks) != len(places):
            has = f"{len(places)} fully connected layers" if places else "no fully connected layers; choose null"
            raise UserError(f"model.svd={list(ranks)}: a rank for each layer is needed, and the head has {has}")
        for index, rank in zip(places, ranks, strict=True):
            self.head.linear[index] = truncate_linear(self.head.linear[index], rank)


def fast_rcnn(
    backbone: Backbone,
    num_classes: int,
    crop_size: int = 14,
    fully_connected: Sequence[int] = (),
    dropout: float = 0.0,
    pooling: str = "roi_pool",
    **settings: Any,
) -> FastRCNN:
    """One map of stride 16; the backbone's last stage looks at crops of it (section 2.1; as `c4` of Faster R-CNN).

    What it sees is averaged, or goes through `fully_connected` layers with `dropout`.
    """
    trunk, rest = backbone.split(16)
    strides = trunk.strides[-1], backbone.strides[-1]
    head = last_stages(rest, backbone.channels[-1], strides, crop_size, fully_connected, dropout, pooling)
    return FastRCNN(trunk, None, head, num_classes, **settings)
