"""YOLOv2 (Redmon and Farhadi 2017, section 2), on any backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.heads import prior_bias
from tradeoffs.models.detection.postprocess import decoded, detect
from tradeoffs.models.detection.yolo import convolution
from tradeoffs.ops.box_coding import MAX_LOG_RATIO
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.grid import cell_of, from_grid, grid_cells, shape_iou, to_grid
from tradeoffs.ops.matching import claims, gather_rows
from tradeoffs.structures import Detections, Targets

Map = Float[Tensor, "B _ _ _"]


class YOLOv2Output(NamedTuple):
    """What the network says of the P anchors of each cell of the grid."""

    offsets: Float[Tensor, "B G P 4"]  # logits of the centre in the cell, log sizes relative to the anchor's
    objectness: Float[Tensor, "B G P"]  # logits
    logits: Float[Tensor, "B G P K"]
    cells: Float[Tensor, "G 4"]


class YOLOv2(nn.Module):
    """Backbone, 3x3 convolutions of `width` channels on its last map, and a passthrough from the map before.

    The grid is the backbone's map of stride 32, or its last one if that is finer; the passthrough comes from the map of
    half that stride, squeezed to `passthrough` channels, whose pixels are folded two by two into channels. `anchors`
    are (width, height) as parts of the image. Weights and `ignore_threshold` are those of the authors' code.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        anchors: Sequence[Sequence[float]],
        width: int = 1024,
        passthrough: int = 64,
        localization_weight: float = 1.0,
        objectness_weight: float = 5.0,
        background_weight: float = 1.0,
        classification_weight: float = 1.0,
        ignore_threshold: float = 0.6,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        max_detections: int = 100,
    ):
        super().__init__()
        self.num_classes = num_classes
        stride = min(max(backbone.strides), 32)
        self.backbone = backbone.trunk(stride)
        self.fine, self.coarse = backbone.stage_of(stride // 2), backbone.stage_of(stride)
        self.register_buffer("anchors", torch.tensor(anchors), persistent=False)
        self.deep = nn.Sequential(
            convolution(backbone.channels[self.coarse], width),
            convolution(width, width),
        )
        self.squeeze = convolution(backbone.channels[self.fine], passthrough, kernel_size=1)
        self.merge = convolution(4 * passthrough + width, width)
        self.heads = nn.ModuleList([nn.Conv2d(width, len(anchors) * (5 + num_classes), kernel_size=1)])
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self.objectness_weight, self.background_weight = objectness_weight, background_weight
        self.ignore_threshold = ignore_threshold
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections
        self._initialize_head()

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> YOLOv2Output:
        maps = self.backbone(images)
        deep = self.deep(maps[self.coarse])
        x = self.heads[0](self.merge(torch.cat([fold(self.squeeze(maps[self.fine]), deep), deep], dim=1)))
        rows = x.permute(0, 2, 3, 1).reshape(len(x), -1, len(self.anchors), 5 + self.num_classes)
        offsets, objectness, logits = rows.split([4, 1, self.num_classes], dim=-1)
        grid, image_size = (x.shape[-2], x.shape[-1]), (images.shape[-2], images.shape[-1])
        return YOLOv2Output(offsets, objectness.squeeze(-1), logits, grid_cells(grid, image_size, images.device))

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: YOLOv2Output, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The loss of the authors' code (Darknet, region layer), summed over an image and averaged over the batch.

        That code defines it by its gradients: wanted minus predicted value, also through the logistic function. So
        centres and objectness have a cross entropy here, log sizes half a squared error. An anchor with an object is to
        say its box's IoU with it; the others 0, unless their box overlaps some object by more than `ignore_threshold`.
        Left out is the pull of all boxes to their anchors during the first 12,800 images: they start there here.
        """
        offsets, objectness, logits = (part.float() for part in output[:3])
        owners = self.owners(output, targets)
        positive = owners >= 0
        with torch.no_grad():
            boxes = decode(offsets, output.cells, self.anchors).flatten(1, 2)
            overlaps = iou(targets.boxes, boxes).masked_fill(~targets.valid[..., None], 0)
            overlap = overlaps.gather(1, owners.clamp(min=0)[:, None]).squeeze(1) * positive
            background = ~positive & (overlaps.amax(dim=1) <= self.ignore_threshold)
        objectness = F.binary_cross_entropy_with_logits(objectness.flatten(1), overlap, reduction="none")
        labels = gather_rows(targets.labels, owners)
        classification = F.cross_entropy(logits.flatten(0, 2), labels.flatten(), reduction="none").view_as(labels)
        localization = self._localization(offsets, output.cells, gather_rows(targets.boxes, owners), positive)
        count = len(offsets)
        return {
            "localization": self.localization_weight * (localization * positive).sum() / count,
            "objectness": self.objectness_weight * (objectness * positive).sum() / count,
            "background": self.background_weight * (objectness * background).sum() / count,
            "classification": self.classification_weight * (classification * positive).sum() / count,
        }

    def owners(self, output: YOLOv2Output, targets: Targets) -> Int64[Tensor, "B A"]:
        """The object that each anchor of each cell answers for, or BACKGROUND.

        An object goes to the cell it is centred in, and there to the anchor most like it in shape; where two go to the
        same anchor, the last one has it.
        """
        sizes = (targets.boxes[..., 2:] - targets.boxes[..., :2]) / output.cells[-1, 2:]
        anchor = shape_iou(sizes, self.anchors).argmax(dim=-1)
        count = len(self.anchors)
        return claims(cell_of(targets.boxes, output.cells) * count + anchor, targets.valid, len(output.cells) * count)

    def postprocess(self, output: YOLOv2Output, image_size: tuple[int, int]) -> Detections:
        boxes = decode(output.offsets.float(), output.cells, self.anchors).flatten(1, 2)
        return detect(
            self.scores(output),
            decoded(boxes),
            image_size,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )

    def scores(self, output: YOLOv2Output) -> Float[Tensor, "B A K"]:
        """Objectness times the probability of each class."""
        return (output.objectness.float().sigmoid()[..., None] * output.logits.float().softmax(dim=-1)).flatten(1, 2)

    def num_candidates(self, output: YOLOv2Output) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self.scores(output) > self.score_threshold).sum(dim=(1, 2))

    def _localization(
        self,
        offsets: Float[Tensor, "B G P 4"],
        cells: Float[Tensor, "G 4"],
        boxes: Float[Tensor, "B A 4"],
        positive: Bool[Tensor, "B A"],
    ) -> Float[Tensor, "B A"]:
        """The loss of each anchor's offsets if it is to give `boxes`; that of small boxes counts up to twice."""
        # Background gets its anchor, since the logarithm of no size at all is infinite.
        anchors = decode(torch.zeros_like(offsets), cells, self.anchors)
        boxes = torch.where(positive[..., None], boxes, anchors.flatten(1, 2)).view_as(anchors)
        places, sizes = to_grid(boxes, cells)
        center = F.binary_cross_entropy_with_logits(offsets[..., :2], places, reduction="none").sum(dim=-1)
        size = 0.5 * (offsets[..., 2:] - (sizes / self.anchors).log()).square().sum(dim=-1)
        return ((2 - sizes.prod(dim=-1)) * (center + size)).flatten(1)

    def _initialize_head(self) -> None:
        """Boxes start close to their anchors, and objects are rare: training is calm, and NMS is not flooded."""
        (head,) = self.heads
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)
        head.bias.data.view(len(self.anchors), -1)[:, 4] = prior_bias()


def decode(
    offsets: Float[Tensor, "*B G P 4"], cells: Float[Tensor, "G 4"], anchors: Float[Tensor, "P 2"]
) -> Float[Tensor, "*B G P 4"]:
    """Boxes in pixels (section 2, "Direct location prediction"); sizes grow at most by 1000 / 16."""
    sizes = anchors * offsets[..., 2:].clamp(max=MAX_LOG_RATIO).exp()
    return from_grid(offsets[..., :2].sigmoid(), sizes, cells)


def fold(fine: Map, coarse: Map) -> Map:
    """Each two by two pixels of `fine` as one pixel of four times the channels, as many as `coarse` has.

    Where `fine` is not exactly twice as large (odd sizes, networks without padding), its right and lower border is cut
    or filled with zeros.
    """
    rows, columns = (2 * side for side in coarse.shape[-2:])
    fine = F.pad(fine, (0, columns - fine.shape[-1], 0, rows - fine.shape[-2]))
    return F.pixel_unshuffle(fine, downscale_factor=2)
