"""A classifier on any backbone."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.models.classification.image_classifier import ClassifierOutput, ImageClassifier
from tradeoffs.models.layers import VGG_WIDTHS, ImageVector


class Classifier(ImageClassifier):
    """Backbone, one vector from its last map (`head`, `dropout`, `widths`: `ImageVector`), and a linear layer."""

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        head: str = "auto",
        dropout: float | None = None,
        widths: Sequence[int] = VGG_WIDTHS,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
    ):
        super().__init__(loss, label_smoothing)
        self.num_classes = num_classes
        self.backbone = backbone
        self.vector = ImageVector(backbone, head, dropout, widths)
        self.heads = nn.ModuleList([nn.Linear(self.vector.channels, num_classes)])

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> ClassifierOutput:
        return ClassifierOutput(self.heads[0](self.vector(self.backbone(images)[-1])))
