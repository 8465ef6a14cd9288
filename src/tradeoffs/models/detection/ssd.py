"""SSD, the single-shot detector of Liu et al. 2016, on any backbone."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.heads import background_bias, rows
from tradeoffs.models.detection.postprocess import detect
from tradeoffs.ops.anchors import Shapes, default_boxes, linear_shapes
from tradeoffs.ops.box_coding import decode, encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import gather_rows, match
from tradeoffs.ops.sampling import hard_negatives
from tradeoffs.structures import Detections, Targets

MAX_PER_CLASS = 400  # boxes that reach suppression, as in torchvision; the paper gives no number


class SSDOutput(NamedTuple):
    """What the network says of each default box."""

    offsets: Float[Tensor, "B A 4"]
    logits: Float[Tensor, "B A K+1"]  # background is class K
    anchors: Float[Tensor, "A 4"]


class SSD(nn.Module):
    """Backbone, neck (the maps to look at) and one 3x3 convolution per map for offsets and classes.

    `neck(backbone)` builds a module that turns the backbone's maps into SSD's, and says their `channels` and the
    `last_stride` it needs of the backbone; `shapes(num_maps)` gives the default boxes' sizes. Thresholds and counts
    are those of the paper, sections 2.2 and 3.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        neck: Callable[[Backbone], nn.Module],
        shapes: Callable[[int], Shapes] = linear_shapes,
        steps: list[float] | None = None,
        match_threshold: float = 0.5,
        negatives_per_positive: float = 3.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        max_detections: int = 200,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.neck = neck(backbone)
        self.backbone = backbone.trunk(self.neck.last_stride)
        sizes = shapes(len(self.neck.channels))
        self.num_shapes, self.steps = [len(boxes) for boxes in sizes], steps
        self.register_buffer("shapes", torch.tensor(list(chain(*sizes))), persistent=False)
        self.anchor_side: int | None = None  # pixels that boxes are parts of, instead of the width and height of images
        self.heads = nn.ModuleList(
            nn.Conv2d(channels, count * (4 + num_classes + 1), kernel_size=3, padding=1)
            for channels, count in zip(self.neck.channels, self.num_shapes, strict=True)
        )
        self.match_threshold = match_threshold
        self.negatives_per_positive = negatives_per_positive
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections
        self._initialize_heads()

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> SSDOutput:
        maps = self.neck(self.backbone(images))
        columns = 4 + self.num_classes + 1
        found = [rows(head(x), columns) for head, x in zip(self.heads, maps, strict=True)]
        offsets, logits = torch.cat(found, dim=1).split([4, columns - 4], dim=-1)
        map_sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
        image_size = (images.shape[-2], images.shape[-1])
        shapes = self.shapes.split(self.num_shapes)
        anchors = default_boxes(map_sizes, image_size, shapes, self.steps, self.anchor_side)
        return SSDOutput(offsets, logits, anchors)

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: SSDOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Smooth L1 of matched boxes and cross entropy with hard negatives, both per matched box (equations 1 to 3)."""
        offsets, logits = output.offsets.float(), output.logits.float()
        references = output.anchors.expand(len(offsets), -1, -1)
        matches = match(iou(targets.boxes, references), targets.valid, self.match_threshold)
        positive = matches >= 0
        boxes = torch.where(positive[..., None], gather_rows(targets.boxes, matches), references)
        localization = F.smooth_l1_loss(offsets, encode(boxes, references), reduction="none").sum(dim=-1)
        labels = torch.where(positive, gather_rows(targets.labels, matches), self.num_classes)
        classification = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        chosen = positive | hard_negatives(classification, positive, self.negatives_per_positive)
        count = positive.sum().clamp(min=1)
        return {
            "localization": self.localization_weight * (localization * positive).sum() / count,
            "classification": self.classification_weight * (classification * chosen).sum() / count,
        }

    def postprocess(self, output: SSDOutput, image_size: tuple[int, int]) -> Detections:
        def boxes_at(references: Tensor, labels: Tensor) -> Tensor:
            return decode(gather_rows(output.offsets.float(), references), output.anchors[references])

        return detect(
            self.scores(output),
            boxes_at,
            image_size,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            max_per_class=MAX_PER_CLASS,
        )

    def scores(self, output: SSDOutput) -> Float[Tensor, "B A K"]:
        """The probability of each class but the background."""
        return output.logits.float().softmax(dim=-1)[..., :-1]

    def num_candidates(self, output: SSDOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self.scores(output) > self.score_threshold).sum(dim=(1, 2))

    def _initialize_heads(self) -> None:
        """Objects are rare at the start: training is calm, and NMS is not flooded."""
        for head, count in zip(self.heads, self.num_shapes, strict=True):
            nn.init.xavier_uniform_(head.weight, gain=0.1)
            nn.init.zeros_(head.bias)
            head.bias.data.view(count, -1)[:, -1] = background_bias(self.num_classes)
