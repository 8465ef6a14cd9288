"""What networks that look at regions share: sampling regions for training, and what is said of each of them."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from tradeoffs.models.detection.postprocess import detect
from tradeoffs.models.detection.rpn import Proposals, RPNOutput
from tradeoffs.ops.box_coding import decode, encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import BACKGROUND, IGNORED, gather_rows, match
from tradeoffs.ops.nms import suppress
from tradeoffs.ops.sampling import balanced, first_rows
from tradeoffs.structures import Detections, Regions, Targets

MIN_SIDE = 1e-2  # pixels; smaller boxes are no detections
POSITIVES = 0.25  # of the regions that a second stage is trained on (Girshick 2015, section 2.3)
MAX_OF_SINGLE_MAP = 2000  # anchors that reach the first suppression where there is one map and no pyramid


@runtime_checkable
class SecondStageOutput(Protocol):
    """What is said of each region, whoever proposed it. Regions are ranked, best first."""

    proposals: Float[Tensor, "B P 4"]
    valid: Bool[Tensor, "B P"]
    logits: Float[Tensor, "B P K+1"]  # background is class K
    offsets: Float[Tensor, "B P C 4"]  # C is K, or 1 if all classes share one box


class RegionOutput(NamedTuple):
    """The same where regions come from outside."""

    proposals: Float[Tensor, "B P 4"]
    valid: Bool[Tensor, "B P"]
    logits: Float[Tensor, "B P K+1"]
    offsets: Float[Tensor, "B P C 4"]

    def limited_to(self, num_proposals: int) -> RegionOutput:
        """As if only the first regions had been given."""
        return RegionOutput(*(part[:, :num_proposals] for part in self))


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
    """What they do with raw outputs."""

    def __init__(self, score_threshold: float, nms_threshold: float, max_detections: int):
        super().__init__()
        self.score_threshold, self.nms_threshold = score_threshold, nms_threshold
        self.max_detections = max_detections

    def predict(self, images: UInt8[Tensor, "B 3 H W"], *regions: Regions) -> Detections:
        """Detections in pixels of `images`."""
        return self.postprocess(self(images, *regions), (images.shape[-2], images.shape[-1]))

    def postprocess(self, output: SecondStageOutput, image_size: tuple[int, int]) -> Detections:
        return detect_in_proposals(
            output,
            image_size,
            self.scores(output),
            score_threshold=self.score_threshold,
            nms_threshold=self.nms_threshold,
            max_detections=self.max_detections,
        )

    def num_candidates(self, output: SecondStageOutput) -> Int64[Tensor, " B"]:
        """How many boxes of each image score high enough to reach the suppression."""
        return (self.scores(output) > self.score_threshold).sum(dim=(1, 2))

    def scores(self, output: SecondStageOutput) -> Float[Tensor, "B P K"]:
        """Of each class; 0 where there is no region."""
        return proposal_scores(output)


class Samples(NamedTuple):
    """Boxes that the second stage is trained on."""

    boxes: Float[Tensor, "B S 4"]
    matches: Int64[Tensor, "B S"]  # the object each answers for; negative: background
    valid: Bool[Tensor, "B S"]


def label_proposals(
    proposals: Proposals, targets: Targets, threshold: float = 0.5, background_from: float = 0.0
) -> Samples:
    """All proposals; each answers for the object it overlaps most, from an IoU of `threshold` (Girshick 2015, 2.3).

    Those that overlap no object by `background_from` are IGNORED.
    """
    overlaps = iou(targets.boxes, proposals.boxes)
    matches = match(overlaps, targets.valid, threshold, force=False)
    far = overlaps.amax(dim=1) < background_from
    return Samples(proposals.boxes, matches.masked_fill(far, IGNORED), proposals.valid)


def with_truth(proposals: Proposals, targets: Targets) -> Proposals:
    """The objects themselves are proposals too, so that the second stage has positives from the first step on."""
    boxes, valid = torch.cat([proposals.boxes, targets.boxes], 1), torch.cat([proposals.valid, targets.valid], 1)
    return Proposals(boxes, valid)


def first_regions(regions: Regions, count: int) -> Proposals:
    """The best regions, as if they were a network's own proposals."""
    return Proposals(regions.boxes[:, :count], regions.valid[:, :count])


def sample(samples: Samples, count: int, fraction: float) -> Samples:
    """`count` of them at random, at most `fraction` of them objects; fewer where there are not enough."""
    positive, negative = samples.matches >= 0, samples.matches == BACKGROUND
    chosen = balanced(positive & samples.valid, negative & samples.valid, count, fraction)
    index, valid = first_rows(chosen, count)
    return Samples(gather_rows(samples.boxes, index), samples.matches.gather(1, index), valid)


def hard_samples(samples: Samples, losses: Float[Tensor, "B S"], count: int, threshold: float = 0.7) -> Samples:
    """The `count` of highest loss in each image, none of which overlaps one of higher loss by more than `threshold`.

    OHEM (Shrivastava et al. 2016, section 4.2): overlapping regions would count the same loss twice.
    """
    order = losses.masked_fill(~samples.valid, -torch.inf).argsort(dim=1, descending=True, stable=True)
    ranked = Samples(
        gather_rows(samples.boxes, order), samples.matches.gather(1, order), samples.valid.gather(1, order)
    )
    index, valid = first_rows(suppress(ranked.boxes, None, ranked.valid, threshold), count)
    return Samples(gather_rows(ranked.boxes, index), ranked.matches.gather(1, index), valid)


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


def detect_in_proposals(
    output: SecondStageOutput, image_size: tuple[int, int], scores: Float[Tensor, "B P K"] | None = None, **options
) -> Detections:
    """The second stage's boxes, each class decoded with its own offsets; `options` as for `detect`.

    They have these `scores`, or where there are none `proposal_scores`.
    """
    scores = proposal_scores(output) if scores is None else scores
    offsets = output.offsets.float()
    shared = offsets.shape[2] == 1

    def boxes_at(references: Tensor, labels: Tensor) -> Tensor:
        index = references * offsets.shape[2] + (0 if shared else labels)
        return decode(gather_rows(offsets.flatten(1, 2), index), gather_rows(output.proposals, references))

    return detect(scores, boxes_at, image_size, min_side=MIN_SIDE, **options)


def proposal_scores(output: SecondStageOutput) -> Float[Tensor, "B P K"]:
    """The probability of each class but the background; 0 where there is no proposal."""
    return output.logits.float().softmax(dim=-1)[..., :-1] * output.valid[..., None]
