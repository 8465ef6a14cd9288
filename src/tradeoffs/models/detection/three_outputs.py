"""Faster R-CNN with a third output for regions that hold an object (He et al. 2017): masks, or joints."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from tradeoffs.models.detection.faster_rcnn import FasterRCNN
from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import POSITIVES, Samples, TwoStageOutput, label_proposals
from tradeoffs.ops.sampling import first_rows
from tradeoffs.structures import Targets

Maps = list[Float[Tensor, "B _ _ _"]]


class ThreeOutputs(NamedTuple):
    """What Faster R-CNN says, and the maps that the third head looks at when it is known which boxes are left."""

    detected: TwoStageOutput
    maps: Maps
    image_size: tuple[int, int]

    def limited_to(self, num_proposals: int) -> ThreeOutputs:
        """As if only that many proposals had been made."""
        return self._replace(detected=self.detected.limited_to(num_proposals))


class ThreeOutputRCNN(FasterRCNN):
    """`third_losses` are those of the third output, on regions that are given; `postprocess` makes it of detections."""

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> ThreeOutputs:
        maps, image_size = self.maps(images), (images.shape[-2], images.shape[-1])
        return ThreeOutputs(self.find(maps, image_size), maps, image_size)

    def third_losses(
        self, samples: Samples, maps: Maps, targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        raise NotImplementedError

    def losses_of(
        self, samples: Samples, maps: Maps, targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """The second stage's and the third output's of what was sampled."""
        second = super().losses_of(samples, maps, targets, image_size)
        return second | self.third_losses(samples, maps, targets, image_size)

    def criterion(self, output: ThreeOutputs, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same losses of an output that is there already: the third's on the best regions that hold an object."""
        losses = super().criterion(output.detected, targets)
        samples = label_proposals(Proposals(output.detected.proposals, output.detected.valid), targets)
        return losses | self._weighted(self.third_losses(samples, output.maps, targets, output.image_size))

    def num_candidates(self, output: ThreeOutputs) -> Int64[Tensor, " B"]:
        return super().num_candidates(output.detected)

    def first_of(self, samples: Bool[Tensor, "B S"]) -> tuple[Int64[Tensor, "B R"], Bool[Tensor, "B R"]]:
        """The first of these samples, at most as many as hold an object in training, and which rows are real.

        R is what the fullest image needs: a GPU has to wait for it, but the third is the most costly of the outputs.
        """
        most = min(int(samples.sum(dim=1).max()), int(self.sampled * POSITIVES))
        return first_rows(samples, max(1, most))
