"""Faster R-CNN (Ren et al. 2015) on any backbone: as in Huang et al. 2017, or on a pyramid (Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection.fpn import FPN
from tradeoffs.models.detection.heads import background_bias
from tradeoffs.models.detection.region_head import RegionHead, last_stages, pyramid_head
from tradeoffs.models.detection.rpn import RPN, Proposals
from tradeoffs.models.detection.two_stage import (
    MAX_OF_SINGLE_MAP,
    Samples,
    TwoStageDetector,
    TwoStageOutput,
    label_proposals,
    sample,
    second_stage_losses,
    with_truth,
)
from tradeoffs.ops.anchors import anchor_shapes, geometric_sizes
from tradeoffs.structures import Targets

POSITIVES = 0.25  # of the regions that the second stage is trained on (Girshick 2015, section 2.3)


class FasterRCNN(TwoStageDetector):
    """A region proposal network, and a head that says what is in the best `num_proposals` regions and where exactly.

    `neck` makes maps of the backbone's; without one, its last map is looked at alone. The second stage is trained on
    `sampled` of the best `train_proposals` regions of each image and its objects themselves.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: nn.Module | None,
        rpn: RPN,
        head: RegionHead,
        num_classes: int,
        *,
        num_proposals: int = 300,
        train_proposals: int = 2000,
        sampled: int = 512,
        beta: float = 1.0,
        localization_weight: float = 1.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.5,
        max_detections: int = 100,
    ):
        super().__init__(score_threshold, nms_threshold, max_detections)
        self.backbone, self.neck, self.rpn, self.head = backbone, neck, rpn, head
        self.num_classes = num_classes
        self.classes = nn.Linear(head.channels, num_classes + 1)
        self.boxes = nn.Linear(head.channels, num_classes * 4)
        self.num_proposals, self.train_proposals = num_proposals, train_proposals
        self.sampled, self.beta = sampled, beta
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self._initialize()

    @property
    def heads(self) -> nn.ModuleList:
        """The layers of both stages that no norm follows."""
        return nn.ModuleList([self.rpn, self.head.linear, self.classes, self.boxes])

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> TwoStageOutput:
        return self.find(self.maps(images), (images.shape[-2], images.shape[-1]))

    def find(self, maps: list[Float[Tensor, "B _ _ _"]], image_size: tuple[int, int]) -> TwoStageOutput:
        """Both stages on maps of images of `image_size`."""
        anchors = self.rpn(maps, image_size)
        proposals = self.rpn.propose(anchors, self.rpn.anchors_of(maps), image_size, self.num_proposals)
        return TwoStageOutput(*anchors, *proposals, *self.second_stage(maps, proposals.boxes, image_size))

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The first stage's losses, and the second's on sampled regions."""
        maps, image_size = self.maps(images), (images.shape[-2], images.shape[-1])
        anchors = self.rpn(maps, image_size)
        proposals = self.rpn.propose(anchors, self.rpn.anchors_of(maps), image_size, self.train_proposals)
        samples = sample(label_proposals(with_truth(proposals, targets), targets), self.sampled, POSITIVES)
        second = self.losses_of(samples, maps, targets, image_size)
        return self._weighted(self.rpn.losses(anchors, targets) | second)

    def losses_of(
        self, samples: Samples, maps: list[Float[Tensor, "B _ _ _"]], targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """The second stage's."""
        return self._second(*self.second_stage(maps, samples.boxes, image_size), samples, targets)

    def criterion(self, output: TwoStageOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same losses of an output that is there already: the second stage's on all its regions."""
        samples = label_proposals(Proposals(output.proposals, output.valid), targets)
        second = self._second(output.logits, output.offsets, samples, targets)
        return self._weighted(self.rpn.losses(output.first_stage, targets) | second)

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

    def _second(
        self, logits: Tensor, offsets: Tensor, samples: Samples, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        return second_stage_losses(logits.float(), offsets.float(), samples, targets, beta=self.beta)

    def _weighted(self, losses: dict[str, Tensor]) -> dict[str, Float[Tensor, ""]]:
        return {name: self.weights[name] * loss for name, loss in losses.items()}

    @property
    def weights(self) -> dict[str, float]:
        """Of the losses."""
        localization = dict.fromkeys(("localization", "rpn_localization"), self.localization_weight)
        return localization | dict.fromkeys(("classification", "rpn_objectness"), self.classification_weight)

    def _initialize(self) -> None:
        """Objects are rare at the start: training is calm, and NMS is not flooded."""
        nn.init.normal_(self.classes.weight, std=0.01)
        nn.init.normal_(self.boxes.weight, std=0.001)
        nn.init.zeros_(self.boxes.bias)
        nn.init.zeros_(self.classes.bias)
        with torch.no_grad():
            self.classes.bias[-1] = background_bias(self.num_classes)


def faster_rcnn(
    backbone: Backbone,
    num_classes: int,
    neck: str = "c4",
    crop_size: int = 14,
    fully_connected: Sequence[int] = (),
    dropout: float = 0.0,
    rpn_channels: int = 512,
    pyramid: Mapping[str, Any] | None = None,
    **settings: Any,
) -> FasterRCNN:
    """The detector as `c4` or `fpn` build it; of `settings` (those of that function) None means what it has itself.

    The crops' size, `fully_connected`, `dropout` and `rpn_channels` are for `c4` alone, those in `pyramid` for `fpn`.
    """
    settings = {name: value for name, value in settings.items() if value is not None}
    if neck == "c4":
        settings["rpn_channels"] = rpn_channels
        return c4(backbone, num_classes, crop_size, fully_connected, dropout, **settings)
    if neck == "fpn":
        return fpn(backbone, num_classes, **(pyramid or {}), **settings)
    raise UserError(f"model.neck={neck}; choose c4 or fpn")


def c4(
    backbone: Backbone,
    num_classes: int,
    crop_size: int = 14,
    fully_connected: Sequence[int] = (),
    dropout: float = 0.0,
    *,
    smallest_anchor: float = 64 / 600,
    largest_anchor: float = 512 / 600,
    rpn_channels: int = 512,
    rpn_sampled: int = 256,
    localization_weight: float = 2.0,
    nms_threshold: float = 0.6,
    sampled: int = 64,
    pooling: str = "roi_align",
    network: Callable[..., FasterRCNN] = FasterRCNN,
    **settings: Any,
) -> FasterRCNN:
    """One map of stride 16; the backbone's last stage looks at crops of it (Huang et al. 2017, section 3 and table 2).

    Anchors of four sizes, whose sides are `smallest_anchor` to `largest_anchor` as parts of the image's shorter side.
    """
    trunk, rest = backbone.split(16)
    strides = trunk.strides[-1], backbone.strides[-1]
    shapes = [anchor_shapes(geometric_sizes(smallest_anchor, largest_anchor, 4))]
    rpn = RPN(trunk.channels[-1], shapes, rpn_channels, sampled=rpn_sampled, max_per_map=MAX_OF_SINGLE_MAP)
    head = last_stages(rest, backbone.channels[-1], strides, crop_size, fully_connected, dropout, pooling)
    settings |= {"localization_weight": localization_weight, "nms_threshold": nms_threshold, "sampled": sampled}
    return network(trunk, None, rpn, head, num_classes, **settings)


def fpn(
    backbone: Backbone,
    num_classes: int,
    *,
    strides: Sequence[int] = (4, 8, 16, 32),
    channels: int = 256,
    widths: Sequence[int] = (1024, 1024),
    sizes_per_map: int = 1,
    smallest_anchor: float = 32 / 800,
    largest_anchor: float = 512 / 800,
    rpn_sampled: int = 256,
    beta: float = 1 / 9,
    pooling: str = "roi_align",
    network: Callable[..., FasterRCNN] = FasterRCNN,
    **settings: Any,
) -> FasterRCNN:
    """Maps of several strides, linear layers look at crops of them (Lin et al. 2017; torchvision's numbers).

    Maps have `channels`, the layers `widths`. Anchors of `sizes_per_map` sizes lie on each map, from `smallest_anchor`
    on the finest one to `largest_anchor`.
    """
    neck = FPN(backbone, strides, channels)
    sizes = geometric_sizes(smallest_anchor, largest_anchor, len(neck.channels) * sizes_per_map)
    shapes = [anchor_shapes(sizes[first : first + sizes_per_map]) for first in range(0, len(sizes), sizes_per_map)]
    rpn = RPN(channels, shapes, hidden=channels, box_weights=(1.0, 1.0), beta=beta, sampled=rpn_sampled)
    head = pyramid_head(channels, neck.strides, widths, pooling=pooling)
    return network(backbone.trunk(neck.last_stride), neck, rpn, head, num_classes, beta=beta, **settings)
