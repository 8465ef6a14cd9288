"""What all classifiers do with the scores of classes."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.ops.losses import binary_cross_entropy
from tradeoffs.structures import Labels, Targets

MOST_LABELS = 5  # of an image; accuracies are top-1 and top-5

LOSSES = {"cross_entropy": F.cross_entropy, "binary_cross_entropy": binary_cross_entropy}


class ClassifierOutput(NamedTuple):
    """What the network says of each image."""

    logits: Float[Tensor, "B K"]


class ImageClassifier(nn.Module):
    """Loss and labels of a network that gives a `ClassifierOutput`.

    `loss` is `cross_entropy`, of which a softmax gives probabilities, or `binary_cross_entropy`, of which sigmoids do.
    `label_smoothing` is the part of a label that is given to all classes alike (Szegedy et al. 2016, section 7).
    """

    def __init__(self, loss: str, label_smoothing: float):
        super().__init__()
        self.loss, self.label_smoothing = loss, label_smoothing

    def losses(self, images: UInt8[Tensor, "B 3 H W"], targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: UInt8[Tensor, "B 3 H W"]) -> Labels:
        """The best classes of each image."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: ClassifierOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        """Of the classes' weights where images are mixed, else of the label."""
        truth = targets.label if targets.label_weights is None else targets.label_weights
        loss = LOSSES[self.loss](output.logits.float(), truth, label_smoothing=self.label_smoothing)
        return {"classification": loss}

    def postprocess(self, output: ClassifierOutput, image_size: tuple[int, int]) -> Labels:
        logits = output.logits.float()
        return best_labels(logits.softmax(dim=-1) if self.loss == "cross_entropy" else logits.sigmoid())


def best_labels(probabilities: Float[Tensor, "B K"]) -> Labels:
    """The five most probable classes, or all where there are fewer."""
    scores, labels = probabilities.topk(min(MOST_LABELS, probabilities.shape[-1]))
    return Labels(labels, scores)
