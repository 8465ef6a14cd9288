"""What Fast and Faster R-CNN share: layers that say what is in regions of maps, and where exactly."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.heads import background_bias
from tradeoffs.models.detection.region_head import RegionHead
from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import (
    Samples,
    SecondStageOutput,
    TwoStageDetector,
    label_proposals,
    second_stage_losses,
)
from tradeoffs.structures import Targets


class SecondStage(TwoStageDetector):
    """Classes and boxes of regions, whoever proposes them (Girshick 2015, section 2).

    The `head` looks at the maps that `neck` makes of the backbone's, or without one at its last map. `sampled` regions
    of an image, of the best `train_proposals`, are trained on; `beta` is where smooth L1 becomes linear.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: nn.Module | None,
        head: RegionHead,
        num_classes: int,
        *,
        num_proposals: int = 2000,
        train_proposals: int = 2000,
        sampled: int = 64,
        beta: float = 1.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        max_detections: int = 100,
    ):
        super().__init__(score_threshold, nms_threshold, max_detections)
        self.backbone, self.neck, self.head = backbone, neck, head
        self.num_classes = num_classes
        self.classes = nn.Linear(head.channels, num_classes + 1)
        self.boxes = nn.Linear(head.channels, num_classes * 4)
        self.num_proposals, self.train_proposals = num_proposals, train_proposals
        self.sampled, self.beta = sampled, beta
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self._initialize()

    @property
    def heads(self) -> nn.ModuleList:
        """The layers that no norm follows."""
        return nn.ModuleList([self.head.linear, self.classes, self.boxes])

    @property
    def weights(self) -> dict[str, float]:
        """Of the losses."""
        return {"localization": self.localization_weight, "classification": self.classification_weight}

    def maps(self, images: UInt8[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        features = self.backbone(images)
        return self.neck(features) if self.neck else features[-1:]

    def second_stage(
        self, maps: list[Float[Tensor, "B _ _ _"]], boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> tuple[Float[Tensor, "B P _"], Float[Tensor, "B P _ 4"]]:
        """Logits of each region's classes, and offsets for each class."""
        return self.say(self.head(maps, boxes, image_size))

    def say(self, regions: Float[Tensor, "B P _"]) -> tuple[Float[Tensor, "B P _"], Float[Tensor, "B P _ 4"]]:
        return self.classes(regions), self.boxes(regions).unflatten(-1, (-1, 4))

    def losses_of(
        self, samples: Samples, maps: list[Float[Tensor, "B _ _ _"]], targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """Of the regions that were sampled, not yet weighted."""
        return self._second(*self.second_stage(maps, samples.boxes, image_size), samples, targets)

    def criterion(self, output: SecondStageOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same losses of an output that is there already, on all its regions."""
        samples = label_proposals(Proposals(output.proposals, output.valid), targets)
        return self._weighted(self._second(output.logits, output.offsets, samples, targets))

    def _second(
        self, logits: Tensor, offsets: Tensor, samples: Samples, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        return second_stage_losses(logits.float(), offsets.float(), samples, targets, beta=self.beta)

    def _weighted(self, losses: dict[str, Tensor]) -> dict[str, Float[Tensor, ""]]:
        return {name: self.weights[name] * loss for name, loss in losses.items()}

    def _initialize(self) -> None:
        """Objects are rare at the start: training is calm, and NMS is not flooded."""
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.boxes.weight, std=0.001)
        nn.init.zeros_(self.boxes.bias)
        nn.init.zeros_(self.classes.bias)
        with torch.no_grad():
            self.classes.bias[-1] = background_bias(self.num_classes)
