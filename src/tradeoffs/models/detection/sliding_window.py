"""A window that slides over an image in several sizes: is there an object in it, which, and where exactly?

OverFeat (Sermanet et al. 2014, sections 3 to 5), where the layers below are frozen while boxes are learnt, by squared
errors, and a greedy rule averages boxes whose centres and areas agree; here both are learnt at once, as SSD does, and
the weaker of two boxes is suppressed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.detection.heads import background_bias, rows
from tradeoffs.models.detection.postprocess import detect
from tradeoffs.models.detection.two_stage import of_class
from tradeoffs.models.patches import border_before, one_by_one, receptive_field, surrounded
from tradeoffs.ops.anchors import tile
from tradeoffs.ops.box_coding import decode, encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import BACKGROUND, IGNORED, claims, gather_rows, match, nearest_of_best
from tradeoffs.ops.sampling import hard_negatives
from tradeoffs.structures import Detections, Targets


class SlidingWindowOutput(NamedTuple):
    """What the network says of each window: those of the first scale, row by row, then those of the next."""

    logits: Float[Tensor, "B A K+1"]  # background is class K
    offsets: Float[Tensor, "B A C 4"]  # C is K, or 1 if all classes share one box
    windows: Float[Tensor, "A 4"]


class SlidingWindowDetector(nn.Module):
    """Class and box of the window around each cell of `step` pixels, in the image at each of the `scales`.

    A window is what one pixel of the backbone's last map sees; beyond the image it is black, so an image smaller than
    that is seen whole. `shared` runs the network over a whole image at once (the paper's section 3.5), else window by
    window, `chunk` of them together: the scores are equal. Training always is shared.

    Windows answer for the object they overlap most from an IoU of `match_high`, and for none below `match_low`. An
    object that overlaps none so much has the best one for itself.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        scales: Sequence[float] = (1.0,),
        shared: bool = True,
        step: int | None = None,
        chunk: int = 256,
        hidden: int | None = None,
        boxes: str = "per_class",
        match_low: float = 0.3,
        match_high: float = 0.5,
        negatives_per_positive: float = 3.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.01,
        nms_threshold: float = 0.45,
        max_detections: int = 100,
    ):
        super().__init__()
        self.num_classes, self.num_boxes = num_classes, num_classes if boxes == "per_class" else 1
        self.backbone, self.side = backbone, receptive_field(backbone)
        stride = backbone.strides[-1]
        self.scales, self.shared, self.step, self.chunk = tuple(scales), shared, step or stride, chunk
        if self.step % stride:
            raise MismatchError(f"model.step={step} is no multiple of the backbone's stride, {stride}; give one")
        self.every = self.step // stride
        channels = backbone.channels[-1]
        layer = [nn.Conv2d(channels, hidden, kernel_size=1), nn.ReLU(inplace=True)] if hidden else []
        self.hidden, columns = nn.Sequential(*layer), (num_classes + 1, 4 * self.num_boxes)
        self.heads = nn.ModuleList(nn.Conv2d(hidden or channels, count, kernel_size=1) for count in columns)
        self.register_buffer("shape", torch.full((1, 2), float(self.side)), persistent=False)
        self.match_low, self.match_high = match_low, match_high
        self.negatives_per_positive = negatives_per_positive
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections
        self._initialize_heads()

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> SlidingWindowOutput:
        return self.slide(images, self.shared)

    def slide(self, images: UInt8[Tensor, "B 3 H W"], shared: bool) -> SlidingWindowOutput:
        found, windows = [], []
        for scale in self.scales:
            scaled = resized(images, scale)
            padded = surrounded(scaled, self.side, self.step)
            maps = self.look(padded) if shared else one_by_one(self.look, padded, self.side, self.step, self.chunk)
            found.append(rows(maps, maps.shape[1]))
            windows.append(self.windows(maps, scaled, images))
        logits, offsets = torch.cat(found, dim=1).split([self.num_classes + 1, 4 * self.num_boxes], dim=-1)
        return SlidingWindowOutput(logits, offsets.unflatten(-1, (self.num_boxes, 4)), torch.cat(windows))

    def look(self, images: UInt8[Tensor, "N 3 _ _"]) -> Float[Tensor, "N _ _ _"]:
        """Logits and offsets; of a window: one pixel."""
        x = self.hidden(self.backbone(images)[-1][..., :: self.every, :: self.every])
        return torch.cat([head(x) for head in self.heads], dim=1)

    def windows(
        self, maps: Float[Tensor, "B _ _ _"], scaled: UInt8[Tensor, "B 3 _ _"], images: UInt8[Tensor, "B 3 _ _"]
    ) -> Float[Tensor, "A 4"]:
        """In pixels of the images, where those of the map lie in the scaled ones."""
        down, across = (length / other for length, other in zip(images.shape[-2:], scaled.shape[-2:], strict=True))
        shape = torch.stack([self.shape[:, 0] * across, self.shape[:, 1] * down], dim=-1)
        center = self.side / 2 - border_before(self.side, self.step)
        grid, steps = (maps.shape[-2], maps.shape[-1]), (self.step * down, self.step * across)
        return tile(shape, grid, steps, offset=center / self.step)

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self.slide(images, shared=True), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: SlidingWindowOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Smooth L1 of matched boxes and cross entropy with hard negatives, both per matched window, as SSD's."""
        logits, windows = output.logits.float(), output.windows.expand(len(output.logits), -1, -1)
        matches = self.match(targets, windows)
        positive = matches >= 0
        boxes = torch.where(positive[..., None], gather_rows(targets.boxes, matches), windows)
        labels = torch.where(positive, gather_rows(targets.labels, matches), self.num_classes)
        offsets = of_class(output.offsets.float(), labels)
        localization = F.smooth_l1_loss(offsets, encode(boxes, windows), reduction="none").sum(dim=-1)
        classification = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        chosen = positive | self.negatives(classification, matches)
        count = positive.sum().clamp(min=1)
        return {
            "localization": self.localization_weight * (localization * positive).sum() / count,
            "classification": self.classification_weight * (classification * chosen).sum() / count,
        }

    def match(self, targets: Targets, windows: Float[Tensor, "B A 4"]) -> Int64[Tensor, "B A"]:
        """The object that each window answers for, BACKGROUND, or IGNORED."""
        overlaps = iou(targets.boxes, windows).masked_fill(~targets.valid[..., None], -1.0)
        matches = match(overlaps, targets.valid, self.match_high, force=False)
        between = (matches == BACKGROUND) & (overlaps.amax(dim=1) >= self.match_low)
        claimed = claims(nearest_of_best(overlaps, targets.boxes, windows), targets.valid, windows.shape[1])
        return torch.where(claimed >= 0, claimed, matches.masked_fill(between, IGNORED))

    def negatives(self, losses: Float[Tensor, "B A"], matches: Int64[Tensor, "B A"]) -> Bool[Tensor, "B A"]:
        """The background that looks most like an object."""
        background = matches == BACKGROUND
        losses = losses.detach().masked_fill(~background, -torch.inf)
        return hard_negatives(losses, matches >= 0, self.negatives_per_positive) & background

    def postprocess(self, output: SlidingWindowOutput, image_size: tuple[int, int]) -> Detections:
        offsets = output.offsets.float()

        def boxes_at(windows: Tensor, labels: Tensor) -> Tensor:
            index = windows * self.num_boxes + labels.clamp(max=self.num_boxes - 1)
            return decode(gather_rows(offsets.flatten(1, 2), index), output.windows[windows])

        return detect(
            self.scores(output),
            boxes_at,
            image_size,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )

    def scores(self, output: SlidingWindowOutput) -> Float[Tensor, "B A K"]:
        """The probability of each class but the background."""
        return output.logits.float().softmax(dim=-1)[..., :-1]

    def num_candidates(self, output: SlidingWindowOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self.scores(output) > self.score_threshold).sum(dim=(1, 2))

    def _initialize_heads(self) -> None:
        """Objects are rare at the start, and boxes are their windows."""
        for head in self.heads:
            nn.init.xavier_uniform_(head.weight, gain=0.1)
            nn.init.zeros_(head.bias)
        self.heads[0].bias.data[-1] = background_bias(self.num_classes)


def resized(images: UInt8[Tensor, "B 3 H W"], scale: float) -> UInt8[Tensor, "B 3 _ _"]:
    """Interpolated with antialiasing to sides that are `scale` times as long, rounded to pixels, one at least."""
    if scale == 1:
        return images
    size = [max(round(length * scale), 1) for length in images.shape[-2:]]
    scaled = F.interpolate(images.float(), size=size, mode="bilinear", antialias=True)
    return scaled.round().clamp(0, 255).to(torch.uint8)
