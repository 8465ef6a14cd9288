"""Classification and one box by regression (Stanford CS231n 2016, lecture 8; Sermanet et al. 2014, section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.classification.image_classifier import best_labels
from tradeoffs.models.layers import VGG_WIDTHS, ImageVector
from tradeoffs.ops.boxes import clip, from_centers, to_centers
from tradeoffs.ops.losses import giou_loss
from tradeoffs.ops.matching import gather_rows
from tradeoffs.structures import LabelledBoxes, Targets

FIRST_BOX = (0.25, 0.25, 0.75, 0.75)  # where training starts, as parts of the image
SMOOTH_BELOW = 0.1  # parts of the image up to which smooth L1 is a square; with the paper's 1 it would always be one


class LocalizerOutput(NamedTuple):
    """What the network says of each image."""

    logits: Float[Tensor, "B K"]
    coordinates: Float[Tensor, "B M 4"]  # of one box, or of one for each class; see `encode`
    extent: Float[Tensor, " 4"]  # width, height, width, height of the images in pixels


class Localizer(nn.Module):
    """Backbone, one vector from its last map (`head`, `dropout`, `widths`: `ImageVector`), and two linear layers on it.

    The second gives the `boxes`: `one` for all classes, or one `per_class`, of which that of the true class learns and
    that of a predicted class is used (OverFeat's single-class and per-class regression). Boxes are learnt as
    `box_coding` has them (see `encode`), by the loss `box_loss` (see `box_losses`).
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        head: str = "auto",
        dropout: float | None = None,
        widths: Sequence[int] = VGG_WIDTHS,
        boxes: str = "one",
        box_coding: str = "corners",
        box_loss: str = "l2",
        localization_weight: float = 10.0,
        classification_weight: float = 1.0,
    ):
        super().__init__()
        self.num_classes = num_classes
        self.backbone = backbone
        self.vector = ImageVector(backbone, head, dropout, widths)
        self.num_boxes = num_classes if boxes == "per_class" else 1
        channels = self.vector.channels
        self.heads = nn.ModuleList([nn.Linear(channels, num_classes), nn.Linear(channels, 4 * self.num_boxes)])
        self.box_coding, self.box_loss = box_coding, box_loss
        self.localization_weight, self.classification_weight = localization_weight, classification_weight
        nn.init.normal_(self.heads[1].weight, std=0.001)
        self.heads[1].bias.data = encode(torch.tensor(FIRST_BOX), box_coding).repeat(self.num_boxes)

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> LocalizerOutput:
        x = self.vector(self.backbone(images)[-1])
        logits, coordinates = (head(x) for head in self.heads)
        sides = (images.shape[-1], images.shape[-2]) * 2
        extent = torch.stack([torch.full((), side, dtype=torch.float32, device=x.device) for side in sides])
        return LocalizerOutput(logits, coordinates.unflatten(1, (self.num_boxes, 4)), extent)

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> LabelledBoxes:
        """The best classes of each image, with boxes in its pixels."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: LocalizerOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Cross entropy of the main object's class and the loss of its box, both averaged over the images."""
        coordinates = self._of_classes(output.coordinates.float(), targets.label[:, None])[:, 0]
        localization = box_losses(coordinates, targets.boxes[:, 0] / output.extent, self.box_coding, self.box_loss)
        return {
            "localization": self.localization_weight * localization.mean(),
            "classification": self.classification_weight * F.cross_entropy(output.logits.float(), targets.label),
        }

    def postprocess(self, output: LocalizerOutput, image_size: tuple[int, int]) -> LabelledBoxes:
        best = best_labels(output.logits.float().softmax(dim=-1))
        boxes = decode(self._of_classes(output.coordinates.float(), best.labels), self.box_coding)
        of_classes = decode(output.coordinates.float(), self.box_coding)
        boxes, of_classes = (clip(each * output.extent, image_size) for each in (boxes, of_classes))
        return LabelledBoxes(best.labels, best.scores, boxes, of_classes)

    def _of_classes(self, coordinates: Float[Tensor, "B M 4"], labels: Tensor) -> Float[Tensor, "B N 4"]:
        """For each of N labels the coordinates that belong to it."""
        if self.num_boxes == 1:
            return coordinates.expand(-1, labels.shape[1], -1)
        return gather_rows(coordinates, labels)


def encode(boxes: Float[Tensor, "*N 4"], coding: str) -> Float[Tensor, "*N 4"]:
    """Boxes, in parts of the image, as four numbers to be learnt: `corners` (xyxy), or `center_size` (x, y, w, h)."""
    return boxes if coding == "corners" else torch.cat(to_centers(boxes), dim=-1)


def decode(coordinates: Float[Tensor, "*N 4"], coding: str) -> Float[Tensor, "*N 4"]:
    """The inverse of `encode`, also for what a linear layer may say: corners the wrong way round, sizes below zero."""
    first, second = coordinates.split(2, dim=-1)
    if coding == "corners":
        return torch.cat([torch.minimum(first, second), torch.maximum(first, second)], dim=-1)
    return from_centers(first, second.abs())


def box_losses(
    coordinates: Float[Tensor, "B 4"], boxes: Float[Tensor, "B 4"], coding: str, loss: str
) -> Float[Tensor, " B"]:
    """Of each box: `l2`, the squared errors of its coordinates, `smooth_l1` (Girshick 2015, equation 3), or `iou`.

    The first two are summed over the four coordinates; `iou` is one minus the generalized IoU, whatever the coding.
    """
    if loss == "iou":
        return giou_loss(decode(coordinates, coding), boxes)
    wanted = encode(boxes, coding)
    if loss == "l2":
        return (coordinates - wanted).square().sum(dim=-1)
    return F.smooth_l1_loss(coordinates, wanted, reduction="none", beta=SMOOTH_BELOW).sum(dim=-1)
