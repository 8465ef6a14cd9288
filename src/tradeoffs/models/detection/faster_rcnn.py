"""Faster R-CNN (Ren et al. 2015) on any backbone: as in Huang et al. 2017, or on a pyramid (Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import UserError
from tradeoffs.models.detection.fpn import FPN
from tradeoffs.models.detection.region_head import RegionHead, last_stages, pyramid_head
from tradeoffs.models.detection.rpn import RPN
from tradeoffs.models.detection.second_stage import SecondStage
from tradeoffs.models.detection.two_stage import (
    MAX_OF_SINGLE_MAP,
    POSITIVES,
    TwoStageOutput,
    label_proposals,
    sample,
    with_truth,
)
from tradeoffs.ops.anchors import anchor_shapes, geometric_sizes
from tradeoffs.structures import Targets


class FasterRCNN(SecondStage):
    """A region proposal network, and a head that says what is in the best `num_proposals` regions and where exactly.

    `neck` makes maps of the backbone's; without one, its last map is looked at alone. The second stage is trained on
    `sampled` of the best `train_proposals` regions of each image and its objects themselves. `settings` are those of
    `SecondStage`.
    """

    waits_for_gpu = "suppression of proposals"  # in `forward`, which then is no CUDA graph

    def __init__(
        self,
        backbone: Backbone,
        neck: nn.Module | None,
        rpn: RPN,
        head: RegionHead,
        num_classes: int,
        *,
        num_proposals: int = 300,
        sampled: int = 512,
        **settings: Any,
    ):
        super().__init__(backbone, neck, head, num_classes, num_proposals=num_proposals, sampled=sampled, **settings)
        self.rpn = rpn
        for name in ("head", "classes", "boxes"):  # after it: states of optimizers go by the order of parameters
            self._modules[name] = self._modules.pop(name)

    @property
    def heads(self) -> nn.ModuleList:
        """The layers of both stages that no norm follows."""
        return nn.ModuleList([self.rpn, *super().heads])

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

    def criterion(self, output: TwoStageOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same losses of an output that is there already: the second stage's on all its regions."""
        return self._weighted(self.rpn.losses(output.first_stage, targets)) | super().criterion(output, targets)

    @property
    def weights(self) -> dict[str, float]:
        """Of the losses."""
        first = {"rpn_localization": self.localization_weight, "rpn_objectness": self.classification_weight}
        return super().weights | first


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
