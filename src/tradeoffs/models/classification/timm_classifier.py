"""A whole network of timm as a classifier, with the layers that it has there after its last map."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.backbones.imagenet import knows_imagenet, outputs_of
from tradeoffs.backbones.timm import WholeNetwork
from tradeoffs.models.classification.image_classifier import ClassifierOutput, ImageClassifier


class TimmClassifier(ImageClassifier):
    """A network that can be scored without training where its weights know the data's classes (`knows_classes`).

    Of ImageNet's classes the outputs of the data's `class_names` are kept. Other weights that have as many outputs as
    there are classes are taken to have them in this order. Else the classifier begins anew. `note` says what became of
    the weights' own classes.
    """

    def __init__(
        self,
        backbone: WholeNetwork,
        num_classes: int,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
        class_names: Sequence[str] = (),
    ):
        super().__init__(loss, label_smoothing)
        self.num_classes = num_classes
        self.backbone, self.note, self.knows_classes = backbone, "", False
        self._choose_outputs(class_names)

    def _choose_outputs(self, class_names: Sequence[str]) -> None:
        known, network, why = self.backbone.num_classes, self.backbone.stages[0], ""
        if self.backbone.trained and class_names and knows_imagenet(network):
            outputs = outputs_of(network, class_names)
            strange = [name for name, output in outputs.items() if output is None]
            if not strange and self.backbone.keep_classes(list(outputs.values())):
                self.knows_classes = True
                self.note = f"of the {known} classes that the weights know, the data's {len(outputs)} are kept, by name"
                return
            why = f" ({strange[0]} is not known for sure)" if strange else " (its outputs cannot be had one by one)"
        elif known == self.num_classes:
            self.knows_classes = self.backbone.trained
            return
        self.backbone.replace_classifier(self.num_classes)
        if self.backbone.trained:
            self.note = f"the weights know {known} classes; for {self.num_classes} the last layer is new{why}"

    @property
    def heads(self) -> nn.ModuleList:
        """A view: the layers belong to the network."""
        return self.backbone.classifiers

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> ClassifierOutput:
        return ClassifierOutput(self.backbone(images))
