"""FCOS, the detector without anchors of Tian et al. 2019, as improved in arXiv 2006.09214, on any backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.heads import prior_bias
from tradeoffs.models.detection.postprocess import detect
from tradeoffs.models.detection.towers import convolution, group_norm, levels_of, rows_of, tower
from tradeoffs.ops.grid import grid_cells
from tradeoffs.ops.losses import focal_loss, giou_loss
from tradeoffs.ops.matching import gather_rows
from tradeoffs.ops.points import centerness, match_points, to_boxes
from tradeoffs.structures import Detections, Targets

MAX_PER_LEVEL = 1000  # boxes of a map that reach suppression


class FCOSOutput(NamedTuple):
    """What the network says of each point."""

    distances: Float[Tensor, "B A 4"]  # to the left, top, right and bottom side, in strides of the point's map
    centerness: Float[Tensor, "B A"]  # a logit
    logits: Float[Tensor, "B A K"]  # one sigmoid per class; background is none of them
    points: Float[Tensor, "A 2"]
    levels: Int64[Tensor, " A"]  # the map that each point lies on


class FCOS(nn.Module):
    """Backbone, pyramid, and two towers of convolutions over all its maps: one for classes, one for boxes.

    `neck(backbone)` builds the pyramid, and says its `channels`, the `strides` it takes from the backbone (further maps
    halve the last of them) and the `last_stride`. An object belongs to the map on which its farthest side is 4 to 8
    strides away, and there to the points within `center_radius` strides of its centre.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        neck: Callable[[Backbone], nn.Module],
        tower_depth: int = 4,
        center_radius: float = 1.5,
        focal_alpha: float = 0.25,
        focal_gamma: float = 2.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.2,
        nms_threshold: float = 0.6,
        max_detections: int = 100,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.neck = neck(backbone)
        self.backbone = backbone.trunk(self.neck.last_stride)
        channels = self.neck.channels[0]
        self.towers = nn.ModuleList(tower(channels, tower_depth, group_norm) for _ in range(2))
        # Boxes start with their sides one stride away: behind a ReLU, distances of 0 would learn nothing.
        boxes = convolution(channels, 5)
        nn.init.ones_(boxes.bias[:4])
        self.heads = nn.ModuleList([convolution(channels, num_classes, prior_bias()), boxes])
        self.register_buffer("strides", strides_of(self.neck), persistent=False)
        self.register_buffer("ranges", ranges_of(self.strides), persistent=False)
        self.whole_steps = False  # see `grid_cells`
        self.center_radius = center_radius
        self.focal_alpha, self.focal_gamma = focal_alpha, focal_gamma
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> FCOSOutput:
        maps = self.neck(self.backbone(images))
        logits = rows_of(maps, self.towers[0], self.heads[0], self.num_classes)
        distances, centers = rows_of(maps, self.towers[1], self.heads[1], 5).split([4, 1], dim=-1)
        image_size = (images.shape[-2], images.shape[-1])
        sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
        cells = torch.cat([grid_cells(size, image_size, images.device, self.whole_steps) for size in sizes])
        # Map pixels see the image around the top left corner of their cell.
        return FCOSOutput(F.relu(distances), centers.squeeze(-1), logits, cells[:, :2], levels_of(maps))

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: FCOSOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """GIoU and centre-ness of matched points and focal loss of all classes, per matched point of the batch."""
        matches = self._match(output, targets)
        positive = matches >= 0
        points = output.points.expand(len(matches), -1, -1)
        distances = output.distances.float()
        around = to_boxes(torch.ones_like(distances), points)  # something finite for the other points
        boxes = torch.where(positive[..., None], gather_rows(targets.boxes, matches), around)
        localization = giou_loss(to_boxes(distances * self.strides[output.levels, None], points), boxes)
        central = F.binary_cross_entropy_with_logits(
            output.centerness.float(), centerness(boxes, points), reduction="none"
        )
        labels = torch.where(positive, gather_rows(targets.labels, matches), self.num_classes)
        classification = focal_loss(output.logits.float(), labels, self.focal_alpha, self.focal_gamma)
        count = positive.sum().clamp(min=1)
        return {
            "localization": self.localization_weight * (localization * positive).sum() / count,
            "centerness": (central * positive).sum() / count,
            "classification": self.classification_weight * classification.sum() / count,
        }

    def postprocess(self, output: FCOSOutput, image_size: tuple[int, int]) -> Detections:
        def boxes_at(references: Tensor, labels: Tensor) -> Tensor:
            strides = self.strides[output.levels[references]]
            distances = gather_rows(output.distances.float(), references) * strides[..., None]
            return to_boxes(distances, output.points[references])

        found = detect(
            self._squared_scores(output),
            boxes_at,
            image_size,
            score_threshold=self.score_threshold**2,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
            levels=output.levels,
            max_per_level=MAX_PER_LEVEL,
        )
        return replace(found, scores=found.scores.clamp(min=0).sqrt())  # unused rows hold -inf

    def num_candidates(self, output: FCOSOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self._squared_scores(output) > self.score_threshold**2).sum(dim=(1, 2))

    def _squared_scores(self, output: FCOSOutput) -> Float[Tensor, "B A K"]:
        """A score is the geometric mean of class and centre-ness; the root, which keeps the order, is left for last."""
        return output.logits.float().sigmoid() * output.centerness.float().sigmoid()[..., None]

    def _match(self, output: FCOSOutput, targets: Targets) -> Int64[Tensor, "B A"]:
        """The object that each point answers for; negative: background."""
        radii, ranges = self.center_radius * self.strides, self.ranges
        return match_points(targets.boxes, targets.valid, output.points, radii[output.levels], ranges[output.levels])


def strides_of(neck: nn.Module) -> Float[Tensor, " L"]:
    """The strides of all maps of a pyramid: each extra one halves the map before it."""
    strides = [float(stride) for stride in neck.strides]
    while len(strides) < len(neck.channels):
        strides.append(2 * strides[-1])
    return torch.tensor(strides)


def ranges_of(strides: Float[Tensor, " L"]) -> Float[Tensor, "L 2"]:
    """The distances from point to farthest side that each map answers for: 4 to 8 strides, the ends being open."""
    ranges = torch.stack([4 * strides, 8 * strides], dim=-1)
    ranges[0, 0], ranges[-1, 1] = 0, torch.inf
    return ranges
