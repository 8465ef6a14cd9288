"""A whole network of timm as a classifier, with the layers that it has there after its last map."""

from __future__ import annotations

from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.backbones.timm import WholeNetwork
from tradeoffs.models.classification.image_classifier import ClassifierOutput, ImageClassifier


class TimmClassifier(ImageClassifier):
    """The network as it is where it knows as many classes, so that published weights can be scored without training.

    Else its classifier begins anew, and `note` says what was lost by that.
    """

    def __init__(
        self,
        backbone: WholeNetwork,
        num_classes: int,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
    ):
        super().__init__(loss, label_smoothing)
        self.num_classes = num_classes
        self.backbone, self.note = backbone, ""
        if (known := backbone.num_classes) != num_classes:
            backbone.replace_classifier(num_classes)
            if backbone.trained:
                self.note = f"the weights know {known} classes; for {num_classes} the last layer is new"

    @property
    def heads(self) -> nn.ModuleList:
        """A view: the layers belong to the network."""
        return self.backbone.classifiers

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> ClassifierOutput:
        return ClassifierOutput(self.backbone(images))
