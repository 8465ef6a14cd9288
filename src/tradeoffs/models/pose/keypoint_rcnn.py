"""Mask R-CNN for joints (He et al. 2017, section 5): finds people in whole images, and the joints of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.detection.faster_rcnn import faster_rcnn
from tradeoffs.models.detection.region_head import RegionHead, RegionMaps
from tradeoffs.models.detection.three_outputs import Maps, ThreeOutputRCNN, ThreeOutputs
from tradeoffs.models.detection.two_stage import Samples
from tradeoffs.ops.matching import gather_rows
from tradeoffs.ops.region_keypoints import peaks_in_boxes, pixels_of_joints
from tradeoffs.structures import DetectedPoses, Targets

CROP, LARGER = 14, 4  # side of the crops that the head looks at, and how many times as large its maps are: 56 pixels


class KeypointRCNN(ThreeOutputRCNN):
    """The layers `keypoint_head` make a map for each joint; `keypoint_crops` are what they look at.

    `settings` are those of `FasterRCNN`, which knows one class, a person. In training joints are learnt of the sampled
    regions that hold a person; `predict` looks for joints in the final detections alone.
    """

    def __init__(
        self,
        *parts: Any,
        keypoint_head: nn.Module,
        keypoint_crops: RegionMaps,
        keypoint_weight: float = 1.0,
        **settings: Any,
    ):
        super().__init__(*parts, **settings)
        self.keypoint_head, self.keypoint_crops = keypoint_head, keypoint_crops
        self.keypoint_weight = keypoint_weight

    @property
    def heads(self) -> nn.ModuleList:
        return nn.ModuleList([*super().heads, self.keypoint_head])

    @property
    def weights(self) -> dict[str, float]:
        return super().weights | {"keypoints": self.keypoint_weight}

    def third_losses(
        self, samples: Samples, maps: Maps, targets: Targets, image_size: tuple[int, int]
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross entropy over all pixels of a joint's map, the mean of the joints that are labelled and in their region.

        A region without any has no part in it, and is not looked at.
        """
        joints = gather_rows(targets.keypoints.flatten(2), samples.matches).unflatten(2, (-1, 3))
        wanted, counts = pixels_of_joints(joints, samples.boxes, CROP * LARGER)
        counts = counts & ((samples.matches >= 0) & samples.valid)[..., None]
        index, real = self.first_of(counts.any(dim=2))
        logits = self.keypoint_logits(maps, gather_rows(samples.boxes, index), real, image_size)
        wanted, counts = gather_rows(wanted, index)[real], gather_rows(counts, index)[real]
        losses = F.cross_entropy(logits.flatten(2).flatten(0, 1), wanted.flatten(), reduction="none")
        return {"keypoints": (losses * counts.flatten()).sum() / counts.sum().clamp(min=1)}

    def postprocess(self, output: ThreeOutputs, image_size: tuple[int, int]) -> DetectedPoses:
        """People and their joints. A joint's score is the probability of its pixel, among all of its map."""
        found = super().postprocess(output.detected, image_size)
        most = max(1, int(found.valid.sum(dim=1).max()))
        found = found.map(lambda rows: rows[:, :most])
        logits = self.keypoint_logits(output.maps, found.boxes, found.valid, output.image_size)
        points, peaks = peaks_in_boxes(logits, found.boxes[found.valid].float())
        scores = (peaks - logits.flatten(2).logsumexp(dim=2)).exp().clamp(max=1)  # between pixels it may be above one
        keypoints = points.new_zeros(*found.valid.shape, logits.shape[1], 3)
        keypoints[found.valid] = torch.cat([points, scores[..., None]], dim=2)
        return DetectedPoses(found.boxes, found.scores, found.labels, found.valid, keypoints)

    def keypoint_logits(
        self, maps: Maps, boxes: Float[Tensor, "B P 4"], real: Bool[Tensor, "B P"], image_size: tuple[int, int]
    ) -> Float[Tensor, "R J M M"]:
        """Of the boxes that are real, one after the other. The head costs more than to wait for their number."""
        seen = self.keypoint_crops.look(maps, boxes, image_size)[real.flatten()]
        logits = self.keypoint_head(seen)
        size = [2 * side for side in logits.shape[-2:]]
        return F.interpolate(logits.float(), size, mode="bilinear", align_corners=False)


def keypoint_head(channels: int, hidden: int, convolutions: int, joints: int) -> nn.Sequential:
    """Some 3x3 `convolutions`, and a deconvolution that doubles the sides, with a map for each joint."""
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [nn.Conv2d(hidden if number else channels, hidden, 3, padding=1), nn.ReLU(inplace=True)]
    layers.append(nn.ConvTranspose2d(hidden if convolutions else channels, joints, 4, stride=2, padding=1))
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def keypoint_rcnn(
    backbone: Backbone,
    num_classes: int,
    keypoint_weight: float = 1.0,
    keypoint_channels: int = 512,
    keypoint_layers: int = 8,
    pooling: str = "roi_align",
    pyramid: Mapping[str, Any] | None = None,
    **settings: Any,
) -> KeypointRCNN:
    """Faster R-CNN of people on a pyramid, with a head for joints; `num_classes` is the number of joints.

    Eight convolutions of 512 channels look at crops of 14 x 14, and maps are 56 x 56 (He et al. 2017, section 5).
    """

    def network(trunk: Backbone, neck: nn.Module, rpn: nn.Module, head: RegionHead, *rest: Any, **more: Any):
        crops = RegionMaps(nn.Identity(), head.strides, CROP, head.samples, pooling)
        layers = keypoint_head(neck.channels[0], keypoint_channels, keypoint_layers, num_classes)
        own = {"keypoint_head": layers, "keypoint_crops": crops, "keypoint_weight": keypoint_weight}
        return KeypointRCNN(trunk, neck, rpn, head, *rest, **own, **more)

    return faster_rcnn(backbone, 1, "fpn", pyramid=pyramid, pooling=pooling, network=network, **settings)
