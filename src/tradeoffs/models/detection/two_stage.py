"""What Faster R-CNN and R-FCN share: sampling proposals for training, and what is said of each of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.models.detection.postprocess import detect
from tradeoffs.models.detection.rpn import Proposals, RPNOutput
from tradeoffs.ops.box_coding import decode, encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import gather_rows, match
from tradeoffs.ops.sampling import balanced, first_rows
from tradeoffs.structures import Detections, Targets

MIN_SIDE = 1e-2  # pixels; smaller boxes are no detections
MAX_OF_SINGLE_MAP = 2000  # anchors that reach the first suppression where there is one map and no pyramid


class TwoStageOutput(NamedTuple):
    """What the first stage says of each anchor, and the second of each proposal. Proposals are ranked, best first."""

    objectness: Float[Tensor, "B A"]
    anchor_offsets: Float[Tensor, "B A 4"]
    anchors: Float[Tensor, "A 4"]
    proposals: Float[Tensor, "B P 4"]
    valid: Bool[Tensor, "B P"]
    logits: Float[Tensor, "B P K+1"]  # background is class K
    offsets: Float[Tensor, "B P C 4"]  # C is K, or 1 if all classes share one box

    @property
    def first_stage(self) -> RPNOutput:
        return RPNOutput(self.objectness, self.anchor_offsets, self.anchors)

    def limited_to(self, num_proposals: int) -> TwoStageOutput:
        """As if only that many proposals had been made: they are ranked, so fewer of them are the first ones."""
        parts = (self.proposals, self.valid, self.logits, self.offsets)
        return TwoStageOutput(*self[:3], *(part[:, :num_proposals] for part in parts))


class TwoStageDetector(nn.Module):
    """What Faster R-CNN and R-FCN do with raw outputs."""

    waits_for_gpu = "suppression of proposals"  # in `forward`, which then is no CUDA graph

    def __init__(self, score_threshold: float, nms_threshold: float, max_detections: int):
        super().__init__()
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def postprocess(self, output: TwoStageOutput, image_size: tuple[int, int]) -> Detections:
        return detect_in_proposals(
            output,
            image_size,
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )

    def num_candidates(self, output: TwoStageOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (proposal_scores(output) > self.score_threshold).sum(dim=(1, 2))


class Samples(NamedTuple):
    """Boxes that the second stage is trained on."""

    boxes: Float[Tensor, "B S 4"]
    matches: Int64[Tensor, "B S"]  # the object each answers for; negative: background
    valid: Bool[Tensor, "B S"]


def label_proposals(proposals: Proposals, targets: Targets, threshold: float = 0.5) -> Samples:
    """All proposals; each answers for the object it overlaps most, from an IoU of `threshold` (Girshick 2015, 2.3)."""
    matches = match(iou(targets.boxes, proposals.boxes), targets.valid, threshold, force=False)
    return Samples(proposals.boxes, matches, proposals.valid)


def with_truth(proposals: Proposals, targets: Targets) -> Proposals:
    """The objects themselves are proposals too, so that the second stage has positives from the first step on."""
    boxes, valid = torch.cat([proposals.boxes, targets.boxes], 1), torch.cat([proposals.valid, targets.valid], 1)
    return Proposals(boxes, valid)


def sample(samples: Samples, count: int, fraction: float) -> Samples:
    """`count` of them at random, at most `fraction` of them objects."""
    positive = samples.matches >= 0
    chosen = balanced(positive & samples.valid, ~positive & samples.valid, count, fraction)
    index, valid = first_rows(chosen, count)
    return Samples(gather_rows(samples.boxes, index), samples.matches.gather(1, index), valid)


def labels_of(samples: Samples, targets: Targets, num_classes: int) -> Int64[Tensor, "B S"]:
    """The class each is to be called, `num_classes` for background."""
    return torch.where(samples.matches >= 0, gather_rows(targets.labels, samples.matches), num_classes)


def region_losses(
    logits: Float[Tensor, "B S _"],
    offsets: Float[Tensor, "B S C 4"],
    samples: Samples,
    targets: Targets,
    beta: float = 1.0,
) -> tuple[Float[Tensor, "B S"], Float[Tensor, "B S"]]:
    """Of each region: smooth L1 of its box, 0 without an object, and cross entropy (Girshick 2015, section 2.3)."""
    labels = labels_of(samples, targets, num_classes=logits.shape[2] - 1)
    wanted = encode(gather_rows(targets.boxes, samples.matches), samples.boxes)
    positive = (samples.matches >= 0) & samples.valid
    wanted = wanted.masked_fill(~positive[..., None], 0)  # padding has no size to divide by
    localization = F.smooth_l1_loss(of_class(offsets, labels), wanted, beta=beta, reduction="none").sum(dim=-1)
    classification = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
    return localization * positive, classification


def second_stage_losses(
    logits: Float[Tensor, "B S _"],
    offsets: Float[Tensor, "B S C 4"],
    samples: Samples,
    targets: Targets,
    beta: float = 1.0,
) -> dict[str, Float[Tensor, ""]]:
    """The means of `region_losses` over all samples."""
    localization, classification = region_losses(logits, offsets, samples, targets, beta)
    count = samples.valid.sum().clamp(min=1)
    return {
        "localization": localization.sum() / count,
        "classification": (classification * samples.valid).sum() / count,
    }


def of_class(offsets: Float[Tensor, "B S C 4"], labels: Int64[Tensor, "B S"]) -> Float[Tensor, "B S 4"]:
    """Each box's offsets for its class, or for all classes if they share one box; anything for background."""
    index = labels.clamp(max=offsets.shape[2] - 1)[..., None, None]
    return offsets.gather(2, index.expand(-1, -1, 1, 4)).squeeze(2)


def detect_in_proposals(output: TwoStageOutput, image_size: tuple[int, int], **options) -> Detections:
    """The second stage's boxes, each class decoded with its own offsets; `options` as for `detect`."""
    offsets = output.offsets.float()
    shared = offsets.shape[2] == 1

    def boxes_at(references: Tensor, labels: Tensor) -> Tensor:
        index = references * offsets.shape[2] + (0 if shared else labels)
        return decode(gather_rows(offsets.flatten(1, 2), index), gather_rows(output.proposals, references))

    return detect(proposal_scores(output), boxes_at, image_size, min_side=MIN_SIDE, **options)


def proposal_scores(output: TwoStageOutput) -> Float[Tensor, "B P K"]:
    """The probability of each class but the background; 0 where there is no proposal."""
    return output.logits.float().softmax(dim=-1)[..., :-1] * output.valid[..., None]
