"""Mask R-CNN (He et al. 2017): Faster R-CNN with a third output, a mask of the object in each region."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.faster_rcnn import faster_rcnn
from tradeoffs.models.detection.region_head import RegionHead, RegionMaps
from tradeoffs.models.detection.three_outputs import Maps, ThreeOutputRCNN, ThreeOutputs
from tradeoffs.models.detection.two_stage import Samples
from tradeoffs.models.instance_segmentation.mask_head import MaskKind, mask_layers, mask_losses, probabilities
from tradeoffs.ops.masks import cut_out, pack, paste
from tradeoffs.ops.matching import gather_rows
from tradeoffs.structures import Instances, Targets

CROP = 14  # side of the crops that the mask head of a pyramid looks at (section 3, figure 4)


class MaskRCNN(ThreeOutputRCNN):
    """The layers `mask_head` look at crops of their own (`mask_crops`), or where that is None at what the head saw.

    `settings` are those of `FasterRCNN`. In training masks are learnt of the sampled regions that hold an object, and
    only of its class (`mask_losses`); `predict` makes masks for the final detections alone.
    """

    def __init__(
        self,
        *parts: Any,
        mask_head: nn.Module,
        mask_crops: RegionMaps | None,
        masks: MaskKind = "sigmoid",
        mask_weight: float = 1.0,
        **settings: Any,
    ):
        super().__init__(*parts, **settings)
        self.mask_head, self.mask_crops = mask_head, mask_crops
        self.masks, self.mask_weight = masks, mask_weight

    @property
    def heads(self) -> nn.ModuleList:
        return nn.ModuleList([*super().heads, self.mask_head])

    @property
    def weights(self) -> dict[str, float]:
        return super().weights | {"mask": self.mask_weight}

    def losses_of(
        self, samples: Samples, maps: Maps, targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """The second stage's, and the masks' of what was sampled. Without own crops, the head looks once for both."""
        if self.mask_crops is not None:
            return super().losses_of(samples, maps, targets, image_size)
        seen = self.head.look(maps, samples.boxes, image_size)
        said = self.say(self.head.describe(seen).unflatten(0, samples.boxes.shape[:2]))
        index, real = self.first_of((samples.matches >= 0) & samples.valid)
        rows = index + samples.boxes.shape[1] * torch.arange(len(index), device=index.device)[:, None]
        logits = self.mask_head(seen[rows.flatten()])
        return self._second(*said, samples, targets) | self._masks(logits, index, real, samples, targets, image_size)

    def third_losses(
        self, samples: Samples, maps: Maps, targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """Of the masks of samples that hold an object."""
        index, real = self.first_of((samples.matches >= 0) & samples.valid)
        logits = self.mask_logits(maps, gather_rows(samples.boxes, index), image_size)
        return self._masks(logits, index, real, samples, targets, image_size)

    def postprocess(self, output: ThreeOutputs, image_size: tuple[int, int], pasted: bool = True) -> Instances:
        """Detections and their masks, which are pasted into images of `image_size` if they are to be."""
        found = super().postprocess(output.detected, image_size)
        most = max(1, int(found.valid.sum(dim=1).max()))  # no masks for rows that nobody looks at
        found = found.map(lambda rows: rows[:, :most])
        logits = self.mask_logits(output.maps, found.boxes, image_size)
        masks = probabilities(logits.float(), found.labels.flatten(), self.masks)
        whole = None
        if pasted:
            parts = [pack(part) for part in paste(masks, found.boxes.flatten(0, 1), image_size)]
            whole = torch.cat(parts).unflatten(0, found.labels.shape)
        return Instances(found.boxes, found.scores, found.labels, found.valid, masks.unflatten(0, (-1, most)), whole)

    def mask_logits(
        self, maps: Maps, boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> Float[Tensor, "B*P _ M M"]:
        return self.mask_head((self.mask_crops or self.head).look(maps, boxes, image_size))

    def _masks(
        self,
        logits: Float[Tensor, "Q _ M M"],
        index: Int64[Tensor, "B R"],
        real: Bool[Tensor, "B R"],
        samples: Samples,
        targets: Targets,
        image_size: tuple[int, int],
    ) -> dict[str, Float[Tensor, ""]]:
        objects, boxes = samples.matches.gather(1, index).clamp(min=0), gather_rows(samples.boxes, index)
        wanted = cut_out(targets.masks, objects, boxes, image_size[1], logits.shape[-1])
        labels = gather_rows(targets.labels, objects).flatten()
        losses = mask_losses(logits.float(), labels, wanted, self.masks) * real.flatten()
        return {"mask": losses.sum() / real.sum().clamp(min=1)}


def mask_rcnn(
    backbone: Backbone,
    num_classes: int,
    neck: Literal["c4", "fpn"] = "c4",
    pooling: str = "roi_align",
    masks: MaskKind = "sigmoid",
    mask_weight: float = 1.0,
    mask_channels: int = 256,
    **settings: Any,
) -> MaskRCNN:
    """The network as `faster_rcnn` builds it of its `settings`, with a mask head (He et al. 2017, section 3, figure 4).

    On a pyramid four convolutions look at crops of 14 x 14, and masks are 28 x 28; on one map the head's crops, after
    the backbone's last stage 7 x 7, are enough, and masks are twice as large.
    """
    outputs = num_classes + (masks == "softmax")

    def network(trunk: Backbone, neck: nn.Module | None, rpn: nn.Module, head: RegionHead, *rest: Any, **more: Any):
        if neck is None:
            crops, layers = None, mask_layers(backbone.channels[-1], mask_channels, 0, outputs)
        else:
            crops = RegionMaps(nn.Identity(), head.strides, CROP, head.samples, pooling)
            layers = mask_layers(neck.channels[0], mask_channels, 4, outputs)
        own = {"mask_head": layers, "mask_crops": crops, "masks": masks, "mask_weight": mask_weight}
        return MaskRCNN(trunk, neck, rpn, head, *rest, **own, **more)

    return faster_rcnn(backbone, num_classes, neck, pooling=pooling, network=network, **settings)
