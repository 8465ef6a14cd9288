"""R-FCN, the fully convolutional two-stage detector of Dai et al. 2016, on any backbone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.detection.heads import background_bias
from tradeoffs.models.detection.rpn import RPN, Proposals, RPNOutput
from tradeoffs.models.detection.two_stage import (
    MAX_OF_SINGLE_MAP,
    TwoStageDetector,
    TwoStageOutput,
    label_proposals,
    region_losses,
    with_truth,
)
from tradeoffs.ops.anchors import anchor_shapes, geometric_sizes
from tradeoffs.ops.position_sensitive import position_sensitive_vote
from tradeoffs.structures import Targets


class RFCN(TwoStageDetector):
    """Proposals from the backbone's map before the last; score and box maps from the last, on which proposals vote.

    Every class, the background, and each coordinate of a box has a map for each of `bins` x `bins` parts of a proposal;
    `crop_size` x `crop_size` points of it are sampled. All work but the voting is shared by the proposals. Of each
    image's best `train_proposals` and its objects, the `sampled` ones of highest loss are trained on, or all if that is
    None (section 2; Huang et al. 2017, table 2). Anchors have four sizes, whose sides are `smallest_anchor` to
    `largest_anchor` as parts of the image's shorter side.
    """

    waits_for_gpu = "suppression of proposals"  # in `forward`, which then is no CUDA graph

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        bins: int = 3,
        crop_size: int = 12,
        channels: int = 1024,
        rpn_channels: int = 512,
        rpn_sampled: int = 256,
        smallest_anchor: float = 64 / 600,
        largest_anchor: float = 512 / 600,
        num_proposals: int = 300,
        train_proposals: int = 300,
        sampled: int | None = 128,
        localization_weight: float = 2.0,
        classification_weight: float = 1.0,
        score_threshold: float = 0.05,
        nms_threshold: float = 0.6,
        max_detections: int = 100,
    ):
        super().__init__(score_threshold, nms_threshold, max_detections)
        if crop_size % bins:
            raise MismatchError(
                f"model.crop_size={crop_size} does not divide into model.bins={bins}; choose {3 * bins}"
            )
        self.backbone, self.num_classes = backbone, num_classes
        shapes = [anchor_shapes(geometric_sizes(smallest_anchor, largest_anchor, 4))]
        self.rpn = RPN(backbone.channels[-2], shapes, rpn_channels, sampled=rpn_sampled, max_per_map=MAX_OF_SINGLE_MAP)
        self.reduce = nn.Conv2d(backbone.channels[-1], channels, kernel_size=1)
        self.maps = nn.Conv2d(channels, (num_classes + 1 + 4) * bins**2, kernel_size=1)
        self.bins, self.crop_size = bins, crop_size
        self.num_proposals, self.train_proposals, self.sampled = num_proposals, train_proposals, sampled
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        self._initialize()

    @property
    def heads(self) -> nn.ModuleList:
        """The layers of both stages that no norm follows."""
        return nn.ModuleList([self.rpn, self.reduce, self.maps])

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> TwoStageOutput:
        image_size = (images.shape[-2], images.shape[-1])
        anchors, maps = self.shared(images)
        proposals = self.rpn.propose(anchors, [len(anchors.anchors)], image_size, self.num_proposals)
        return TwoStageOutput(*anchors, *proposals, *self.vote(maps, proposals.boxes, image_size))

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The first stage's losses, and the second's on the hardest of the proposals and objects."""
        image_size = (images.shape[-2], images.shape[-1])
        anchors, maps = self.shared(images)
        proposals = self.rpn.propose(anchors, [len(anchors.anchors)], image_size, self.train_proposals)
        proposals = with_truth(proposals, targets)
        return self._losses(anchors, proposals, *self.vote(maps, proposals.boxes, image_size), targets)

    def criterion(self, output: TwoStageOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """The same losses of an output that is there already: the second stage's on the hardest of its proposals."""
        proposals = Proposals(output.proposals, output.valid)
        return self._losses(output.first_stage, proposals, output.logits, output.offsets, targets)

    def shared(self, images: UInt8[Tensor, "B 3 H W"]) -> tuple[RPNOutput, Float[Tensor, "B _ _ _"]]:
        """What is said of each anchor; the score and box maps."""
        early, late = self.backbone(images)[-2:]
        anchors = self.rpn([early], (images.shape[-2], images.shape[-1]))
        return anchors, self.maps(F.relu(self.reduce(late)))

    def vote(
        self, maps: Float[Tensor, "B _ _ _"], boxes: Float[Tensor, "B P 4"], image_size: tuple[int, int]
    ) -> tuple[Float[Tensor, "B P _"], Float[Tensor, "B P 1 4"]]:
        """The second stage: logits of each proposal's classes, and one box for all of them."""
        votes = position_sensitive_vote(maps, boxes, image_size, self.bins, self.crop_size)
        logits, offsets = votes.split([self.num_classes + 1, 4], dim=-1)
        return logits, offsets[:, :, None]

    def _losses(
        self, anchors: RPNOutput, proposals: Proposals, logits: Tensor, offsets: Tensor, targets: Targets
    ) -> dict[str, Float[Tensor, ""]]:
        first = self.rpn.losses(anchors, targets)
        samples = label_proposals(proposals, targets)
        localization, classification = region_losses(logits.float(), offsets.float(), samples, targets)
        localization = self.localization_weight * localization
        classification = self.classification_weight * classification
        kept = hardest(localization + classification, samples.valid, self.sampled)
        count = kept.sum().clamp(min=1)
        return {
            "rpn_localization": self.localization_weight * first["rpn_localization"],
            "rpn_objectness": self.classification_weight * first["rpn_objectness"],
            "localization": (localization * kept).sum() / count,
            "classification": (classification * kept).sum() / count,
        }

    def _initialize(self) -> None:
        """Objects are rare at the start: training is calm, and NMS is not flooded."""
        nn.init.kaiming_normal_(self.reduce.weight, nonlinearity="relu")
        nn.init.normal_(self.maps.weight, std=0.01)
        for layer in (self.reduce, self.maps):
            nn.init.zeros_(layer.bias)
        self.maps.bias.data.view(-1, self.bins**2)[self.num_classes] = background_bias(self.num_classes)


def hardest(losses: Float[Tensor, "B S"], valid: Bool[Tensor, "B S"], count: int | None) -> Bool[Tensor, "B S"]:
    """The `count` valid regions of highest loss in each image (OHEM, Shrivastava et al. 2016), or all if it is None."""
    if count is None:
        return valid
    ranked = losses.detach().masked_fill(~valid, -torch.inf)
    index = ranked.topk(min(count, ranked.shape[1]), dim=1).indices
    return torch.zeros_like(valid).scatter_(1, index, True) & valid
