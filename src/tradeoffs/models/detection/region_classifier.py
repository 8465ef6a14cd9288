"""What R-CNN and SPP-net share: a vector for each region, and what is learnt of it, by descent and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from tradeoffs.models.detection.heads import background_bias
from tradeoffs.models.detection.region_boxes import regress_boxes
from tradeoffs.models.detection.region_svms import train_svms
from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import (
    POSITIVES,
    Samples,
    TwoStageDetector,
    first_regions,
    label_proposals,
    labels_of,
    proposal_scores,
    sample,
    with_truth,
)
from tradeoffs.structures import Batch, Regions, Targets

Stage = Callable[[Iterable[Batch]], None]


class Described(NamedTuple):
    """What is seen of each region."""

    vectors: Float[Tensor, "B P D"]  # by which its class is told
    layouts: Float[Tensor, "B P E"]  # by which its box is: what lies where in it


class ClassifiedRegions(NamedTuple):
    """What is said of each region. Regions are ranked, best first."""

    proposals: Float[Tensor, "B P 4"]
    valid: Bool[Tensor, "B P"]
    logits: Float[Tensor, "B P K+1"]  # of the softmax; background is class K
    offsets: Float[Tensor, "B P K 4"]
    margins: Float[Tensor, "B P K"]  # of the support vector machines

    def limited_to(self, num_proposals: int) -> ClassifiedRegions:
        """As if only the first regions had been given."""
        return ClassifiedRegions(*(part[:, :num_proposals] for part in self))


class RegionClassifier(TwoStageDetector):
    """Classes of the best `num_proposals` regions, each of which is seen as a vector of `channels` numbers.

    Boxes are learnt of a map of the region before that, of `box_bins` x `box_bins` pixels with `map_channels` each.

    Three parts look at it (Girshick et al. 2014, section 2.3 and appendices B, C). A softmax is learnt by descent, of
    `sampled` regions of an image: a quarter objects, the others overlap one by `background_from`. Then, unless switched
    off, come support vector machines (`svms`), whose scores replace those of the softmax, and the ridge regression of
    boxes (`box_regression`); what is not learnt yet changes nothing. Both are linear layers that no gradient reaches.

    Machines learn of at most `cached_negatives` negatives of a class at a time; with `distinct_negatives` none of an
    image overlaps another by more than 0.7. Boxes learn of regions with an IoU of `pairs_from` or more.
    """

    def __init__(
        self,
        channels: int,
        map_channels: int,
        num_classes: int,
        *,
        num_proposals: int = 2000,
        train_proposals: int = 2000,
        sampled: int = 64,
        background_from: float = 0.0,
        svms: bool = True,
        box_regression: bool = True,
        cached_negatives: int = 4000,
        distinct_negatives: bool = False,
        box_bins: int = 3,
        ridge: float = 1000.0,
        pairs_from: float = 0.6,
        score_threshold: float = 0.0,
        nms_threshold: float = 0.3,
        max_detections: int = 100,
    ):
        super().__init__(score_threshold, nms_threshold, max_detections)
        self.num_classes = num_classes
        self.num_proposals, self.train_proposals, self.sampled = num_proposals, train_proposals, sampled
        self.background_from = background_from
        self.switches = {"svms": svms, "box_regression": box_regression}
        self.cached_negatives, self.distinct_negatives = cached_negatives, distinct_negatives
        self.box_bins, self.ridge, self.pairs_from = box_bins, ridge, pairs_from
        self.classes, self.svm = nn.Linear(channels, num_classes + 1), nn.Linear(channels, num_classes)
        self.boxes = nn.Linear(map_channels * box_bins**2, num_classes * 4)
        self.register_buffer("has_svms", torch.tensor(False))
        self._initialize()

    @property
    def heads(self) -> nn.ModuleList:
        """The layers of descent that no norm follows."""
        return nn.ModuleList([self.classes])

    def describe(self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "B P 4"]) -> Described:
        """Of regions in training."""
        raise NotImplementedError

    def describe_many(self, images: UInt8[Tensor, "B 3 H W"], boxes: Float[Tensor, "B P 4"]) -> Described:
        """Of any number of regions, without training."""
        return self.describe(images, boxes)

    def forward(self, images: UInt8[Tensor, "B 3 H W"], regions: Regions) -> ClassifiedRegions:
        best = first_regions(regions, self.num_proposals)
        vectors, layouts = self.describe_many(images, best.boxes)
        offsets = self.boxes(layouts).unflatten(-1, (-1, 4))
        return ClassifiedRegions(*best, self.classes(vectors), offsets, self.svm(vectors))

    def losses(
        self, images: UInt8[Tensor, "B 3 H W"], regions: Regions, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        """The softmax's, of regions that are sampled; the objects themselves are regions, too."""
        proposals = with_truth(first_regions(regions, self.train_proposals), targets)
        labelled = label_proposals(proposals, targets, background_from=self.background_from)
        samples = sample(labelled, self.sampled, POSITIVES)
        return self._losses(self.classes(self.describe(images, samples.boxes).vectors), samples, targets)

    def criterion(self, output: ClassifiedRegions, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same of an output that is there already, on all its regions."""
        samples = label_proposals(Proposals(output.proposals, output.valid), targets)
        return self._losses(output.logits, samples, targets)

    def scores(self, output: ClassifiedRegions) -> Float[Tensor, "B P K"]:
        """The machines', as soon as there are any: the higher the margin, the higher, but no probability."""
        margins = output.margins.float().sigmoid() * output.valid[..., None]
        return torch.where(self.has_svms, margins, proposal_scores(output))

    def stages(self) -> dict[str, Stage]:
        """What is learnt after descent, in this order."""
        stages = {"svms": self.learn_svms, "box_regression": self.learn_boxes}
        return {name: stage for name, stage in stages.items() if self.switches[name]}

    def learn_svms(self, batches: Iterable[Batch]) -> None:
        self._learn(self.svm, train_svms, "vectors", batches, self.cached_negatives, self.distinct_negatives)
        self.has_svms.fill_(True)

    def learn_boxes(self, batches: Iterable[Batch]) -> None:
        self._learn(self.boxes, regress_boxes, "layouts", batches, self.ridge, self.pairs_from)

    @torch.no_grad()
    def _learn(
        self, layer: nn.Linear, learn: Callable[..., tuple], part: str, batches: Iterable[Batch], *settings: Any
    ) -> None:
        """Weights and biases of a layer, of what is seen of regions when nothing is trained."""

        def describe(images: Tensor, boxes: Tensor) -> Tensor:
            return getattr(self.describe_many(images, boxes), part)

        was_training = self.training
        self.eval()
        weight, bias = learn(describe, batches, self.num_classes, self.train_proposals, *settings)
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
        self.train(was_training)

    def _losses(
        self, logits: Float[Tensor, "B S _"], samples: Samples, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        labels = labels_of(samples, targets, self.num_classes)
        losses = F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="none").view_as(labels)
        return {"classification": (losses * samples.valid).sum() / samples.valid.sum().clamp(min=1)}

    def _initialize(self) -> None:
        """Objects are rare at the start; the parts that are learnt later say nothing."""
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.zeros_(self.classes.bias)
        with torch.no_grad():
            self.classes.bias[-1] = background_bias(self.num_classes)
        for layer in (self.svm, self.boxes):
            layer.requires_grad_(False)
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
