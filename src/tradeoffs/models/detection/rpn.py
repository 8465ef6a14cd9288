"""The region proposal network of Faster R-CNN (Ren et al. 2015, section 3.1), on one map or on a pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tradeoffs.models.detection.heads import rows
from tradeoffs.ops.anchors import Shapes, sliding_anchors
from tradeoffs.ops.box_coding import WEIGHTS, decode, encode
from tradeoffs.ops.boxes import clip, iou
from tradeoffs.ops.matching import BACKGROUND, gather_rows, match_or_ignore
from tradeoffs.ops.nms import suppress
from tradeoffs.ops.sampling import balanced
from tradeoffs.structures import Targets

Map = Float[Tensor, "B _ _ _"]

MIN_SIDE = 1e-3  # pixels; smaller boxes are no proposals


class RPNOutput(NamedTuple):
    """What the network says of each anchor."""

    logits: Float[Tensor, "B A"]  # of being an object
    offsets: Float[Tensor, "B A 4"]
    anchors: Float[Tensor, "A 4"]


class Proposals(NamedTuple):
    """Boxes that may hold objects, best first, in pixels of the network input."""

    boxes: Float[Tensor, "B P 4"]
    valid: Bool[Tensor, "B P"]


class RPN(nn.Module):
    """A 3x3 convolution and two 1x1 ones, the same for all maps; `shapes` gives each map's anchors.

    Shapes are parts of `anchor_side` pixels, or of the shorter side of the images where that is None: batches that are
    padded to several shapes need it, or anchors would grow with the padding. `box_weights` scale the offsets (see
    `encode`); `beta` is where smooth L1 becomes linear; `sampled` anchors of an image enter the loss, half of them
    positive where there are enough; the best `max_per_map` anchors of each map reach the suppression. Anchors that
    cross the image's border are trained, too (unlike Ren et al. 2015, section 3.1.3).
    """

    def __init__(
        self,
        channels: int,
        shapes: Shapes,
        hidden: int = 512,
        box_weights: tuple[float, float] = WEIGHTS,
        beta: float = 1.0,
        sampled: int = 256,
        nms_threshold: float = 0.7,
        max_per_map: int = 1000,
    ):
        super().__init__()
        (count,) = {len(boxes) for boxes in shapes}
        self.conv = nn.Conv2d(channels, hidden, kernel_size=3, padding=1)
        self.head = nn.Conv2d(hidden, count * 5, kernel_size=1)  # an objectness and four offsets for each anchor
        self.num_shapes = [count] * len(shapes)
        self.register_buffer("shapes", torch.tensor(list(chain(*shapes))), persistent=False)
        self.anchor_side: int | None = None
        self.whole_steps = False  # see `sliding_anchors`
        self.box_weights, self.beta = tuple(box_weights), beta
        self.sampled = sampled
        self.nms_threshold, self.max_per_map = nms_threshold, max_per_map
        for layer in (self.conv, self.head):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, maps: list[Map], image_size: tuple[int, int]) -> RPNOutput:
        found = [rows(self.head(F.relu(self.conv(x))), 5) for x in maps]
        offsets, logits = torch.cat(found, dim=1).split([4, 1], dim=-1)
        sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
        shapes = self.shapes.split(self.num_shapes)
        anchors = sliding_anchors(sizes, image_size, shapes, self.anchor_side, self.whole_steps)
        return RPNOutput(logits.squeeze(-1), offsets, anchors)

    def anchors_of(self, maps: list[Map]) -> list[int]:
        """How many anchors each map has."""
        return [x.shape[-2] * x.shape[-1] * count for x, count in zip(maps, self.num_shapes, strict=True)]

    @torch.no_grad()
    def propose(
        self, output: RPNOutput, anchors_of: Sequence[int], image_size: tuple[int, int], count: int
    ) -> Proposals:
        """The best `count` boxes of each image after suppression within each map; no gradient flows back."""
        per_map = [self._best(part, image_size) for part in split_maps(output, anchors_of)]
        most = max(scores.shape[1] for scores, _ in per_map)
        scores = torch.stack([F.pad(s, (0, most - s.shape[1]), value=-torch.inf) for s, _ in per_map], dim=1)
        boxes = torch.stack([F.pad(b, (0, 0, 0, most - b.shape[1])) for _, b in per_map], dim=1)
        # Maps are like images to the suppression: boxes of different ones do not meet.
        kept = suppress(boxes.flatten(0, 1), None, scores.flatten(0, 1) > -torch.inf, self.nms_threshold)
        scores = scores.masked_fill(~kept.view_as(scores), -torch.inf).flatten(1)
        top, index = scores.topk(min(count, scores.shape[1]), dim=1)
        valid = top > -torch.inf
        best = gather_rows(boxes.flatten(1, 2), index)
        return Proposals(torch.where(valid[..., None], best, 0.0), valid)  # a product would keep what is not a number

    def losses(self, output: RPNOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Per sampled anchor: binary cross entropy of all of them, smooth L1 of the positive ones."""
        logits, offsets = output.logits.float(), output.offsets.float()
        anchors = output.anchors.expand(len(logits), -1, -1)
        matches = match_or_ignore(iou(targets.boxes, anchors), targets.valid, low=0.3, high=0.7)
        positive = matches >= 0
        chosen = balanced(positive, matches == BACKGROUND, self.sampled, fraction=0.5)
        boxes = torch.where(positive[..., None], gather_rows(targets.boxes, matches), anchors)
        wanted = encode(boxes, anchors, self.box_weights)
        localization = F.smooth_l1_loss(offsets, wanted, beta=self.beta, reduction="none").sum(dim=-1)
        objectness = F.binary_cross_entropy_with_logits(logits, positive.float(), reduction="none")
        count = chosen.sum().clamp(min=1)
        return {
            "rpn_localization": (localization * (chosen & positive)).sum() / count,
            "rpn_objectness": (objectness * chosen).sum() / count,
        }

    def _best(self, part: RPNOutput, image_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The scores and boxes of one map's best anchors, `B N` and `B N 4`; boxes without area score -inf."""
        scores, index = part.logits.float().topk(min(self.max_per_map, part.logits.shape[1]), dim=1)
        offsets = gather_rows(part.offsets.float(), index)
        boxes = clip(decode(offsets, part.anchors[index], self.box_weights), image_size)
        too_small = (boxes[..., 2:] - boxes[..., :2]).amin(dim=-1) < MIN_SIDE
        return scores.masked_fill(too_small, -torch.inf), boxes


def split_maps(output: RPNOutput, anchors_of: Sequence[int]) -> list[RPNOutput]:
    parts = (output.logits.split(anchors_of, 1), output.offsets.split(anchors_of, 1), output.anchors.split(anchors_of))
    return [RPNOutput(*part) for part in zip(*parts, strict=True)]
