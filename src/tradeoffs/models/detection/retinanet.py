"""RetinaNet, the single-shot detector with the focal loss of Lin et al. 2017b, on any backbone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.heads import prior_bias
from tradeoffs.models.detection.postprocess import detect
from tradeoffs.models.detection.towers import convolution, group_norm, levels_of, rows_of, tower
from tradeoffs.ops.anchors import Shapes, anchor_shapes, sliding_anchors
from tradeoffs.ops.box_coding import decode, encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.losses import focal_loss
from tradeoffs.ops.matching import IGNORED, gather_rows, match_or_ignore
from tradeoffs.structures import Detections, Targets

BOX_WEIGHTS = (1.0, 1.0)  # offsets are not scaled
MAX_PER_LEVEL = 1000  # boxes of a map that reach suppression (section 4.1)


def octave_shapes(
    num_maps: int,
    smallest: float = 0.04,
    per_octave: int = 3,
    ratios: Sequence[float] = (0.5, 1.0, 2.0),
    sizes: Sequence[Sequence[float]] | None = None,
    side: float = 1.0,
) -> Shapes:
    """Sizes that double from map to map, in `per_octave` steps, each at all ratios of height to width (section 4).

    `smallest` is a part of the image's shorter side: 32 pixels of 800. `sizes` are those of each map instead, in pixels
    of which `side` is one part: torchvision's are rounded.
    """
    if sizes:
        return [anchor_shapes([size / side for size in sizes_of_map], ratios) for sizes_of_map in sizes[:num_maps]]
    sizes = [[smallest * 2 ** (k + step / per_octave) for step in range(per_octave)] for k in range(num_maps)]
    return [anchor_shapes(sizes_of_map, ratios) for sizes_of_map in sizes]


class RetinaNetOutput(NamedTuple):
    """What the network says of each anchor."""

    offsets: Float[Tensor, "B A 4"]
    logits: Float[Tensor, "B A K"]  # one sigmoid per class; background is none of them
    anchors: Float[Tensor, "A 4"]
    levels: Int64[Tensor, " A"]  # the map that each anchor lies on


class RetinaNet(nn.Module):
    """Backbone, pyramid, and two towers of convolutions over all its maps: one for classes, one for boxes.

    `neck(backbone)` builds the pyramid, and says its `channels` and the `last_stride` it needs of the backbone;
    `shapes(num_maps)` gives the anchors' sizes. Anchors whose IoU with the nearest object lies between `match_low` and
    `match_high` enter no loss. Numbers are those of the paper, section 4; detections per image are torchvision's. With
    `tower_norm`, towers have group norm, which the paper's have not (Wu and He 2018; torchvision's second version).
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        neck: Callable[[Backbone], nn.Module],
        shapes: Callable[[int], Shapes] = octave_shapes,
        tower_depth: int = 4,
        tower_norm: bool = False,
        match_low: float = 0.4,
        match_high: float = 0.5,
        focal_alpha: float = 0.25,
        focal_gamma: float = 2.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        max_detections: int = 300,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.neck = neck(backbone)
        self.backbone = backbone.trunk(self.neck.last_stride)
        channels = self.neck.channels[0]
        sizes = shapes(len(self.neck.channels))
        self.num_shapes = len(sizes[0])
        self.register_buffer("shapes", torch.tensor(list(chain(*sizes))), persistent=False)
        self.anchor_side: int | None = None  # see RPN
        self.whole_steps = False  # see `sliding_anchors`
        norm = group_norm if tower_norm else None
        self.towers = nn.ModuleList(tower(channels, tower_depth, norm) for _ in range(2))
        classes = convolution(channels, self.num_shapes * num_classes, prior_bias())
        self.heads = nn.ModuleList([classes, convolution(channels, self.num_shapes * 4)])
        self.match_low, self.match_high = match_low, match_high
        self.focal_alpha, self.focal_gamma = focal_alpha, focal_gamma
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> RetinaNetOutput:
        maps = self.neck(self.backbone(images))
        logits = rows_of(maps, self.towers[0], self.heads[0], self.num_classes)
        offsets = rows_of(maps, self.towers[1], self.heads[1], 4)
        map_sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
        image_size = (images.shape[-2], images.shape[-1])
        shapes = self.shapes.split(self.num_shapes)
        anchors = sliding_anchors(map_sizes, image_size, shapes, self.anchor_side, self.whole_steps)
        return RetinaNetOutput(offsets, logits, anchors, levels_of(maps, self.num_shapes))

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: RetinaNetOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """L1 of matched offsets and focal loss of all classes, both per matched anchor of an image; mean of images."""
        offsets, logits = output.offsets.float(), output.logits.float()
        anchors = output.anchors.expand(len(offsets), -1, -1)
        matches = match_or_ignore(iou(targets.boxes, anchors), targets.valid, self.match_low, self.match_high)
        positive = matches >= 0
        boxes = torch.where(positive[..., None], gather_rows(targets.boxes, matches), anchors)
        localization = (offsets - encode(boxes, anchors, BOX_WEIGHTS)).abs().sum(dim=-1)
        labels = torch.where(positive, gather_rows(targets.labels, matches), self.num_classes)
        classification = focal_loss(logits, labels, self.focal_alpha, self.focal_gamma)
        count = positive.sum(dim=1).clamp(min=1)
        return {
            "localization": self.localization_weight * ((localization * positive).sum(dim=1) / count).mean(),
            "classification": self.classification_weight
            * ((classification * (matches != IGNORED)).sum(dim=1) / count).mean(),
        }

    def postprocess(self, output: RetinaNetOutput, image_size: tuple[int, int]) -> Detections:
        def boxes_at(references: Tensor, labels: Tensor) -> Tensor:
            offsets = gather_rows(output.offsets.float(), references)
            return decode(offsets, output.anchors[references], BOX_WEIGHTS)

        # The sigmoid keeps the order, so only what is found needs it.
        found = detect(
            output.logits.float(),
            boxes_at,
            image_size,
            score_threshold=self._logit_threshold(),
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            levels=output.levels,
            max_per_level=MAX_PER_LEVEL,
        )
        return replace(found, scores=found.scores.sigmoid())

    def num_candidates(self, output: RetinaNetOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (output.logits.float() > self._logit_threshold()).sum(dim=(1, 2))

    def _logit_threshold(self) -> float:
        return float(torch.tensor(self.score_threshold, dtype=torch.float64).logit())  # infinite at 0 and 1
