"""What all models of semantic segmentation do with the scores of classes, which they give at any resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.errors import MismatchError
from tradeoffs.models.semantic_segmentation.windows import over_windows
from tradeoffs.ops.losses import dice_loss, pixel_cross_entropy
from tradeoffs.structures import IGNORED, LabelMaps, Targets

Images = UInt8[Tensor, "B 3 H W"]
Logits = Float[Tensor, "B K _ _"]


class SegmenterOutput(NamedTuple):
    """What the network says of each pixel of its last map."""

    logits: Float[Tensor, "B K h w"]


class Segmenter(nn.Module):
    """Losses and label maps of a network that gives `scores(images)`.

    `loss` is `cross_entropy`, averaged over pixels, `dice`, or the sum of both as `cross_entropy_dice`; pixels with the
    label IGNORED take no part. `class_weights` weigh pixels in the cross entropy by their class.

    With a `window` (side in pixels) the network looks at crops of this size, neighbours of which share the part
    `overlap` of their side, and scores are averaged over the crops. An image no larger than the window is one crop.
    """

    def __init__(
        self,
        num_classes: int,
        loss: str = "cross_entropy",
        class_weights: Sequence[float] | None = None,
        window: int | None = None,
        overlap: float = 0.0,
    ):
        super().__init__()
        if num_classes > IGNORED:
            raise MismatchError(f"{num_classes} classes are too many for label maps of bytes; {IGNORED} is the most")
        if class_weights is not None and len(class_weights) != num_classes:
            raise MismatchError(
                f"model.class_weights has {len(class_weights)} numbers; give one for each of {num_classes} classes"
            )
        self.num_classes, self.loss = num_classes, loss
        self.window, self.overlap = window, overlap
        weights = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.register_buffer("class_weights", weights, persistent=False)

    def scores(self, images: Images) -> Logits:
        """Of whatever resolution."""
        raise NotImplementedError

    def forward(self, images: Images) -> SegmenterOutput:
        if self.window is None or self.window >= max(images.shape[-2:]):
            return SegmenterOutput(self.scores(images))
        return SegmenterOutput(over_windows(self.scores, images, self.window, self.overlap))

    def losses(self, images: Images, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        return self.criterion(self(images), targets)

    def predict(self, images: Images) -> LabelMaps:
        """The best class of each pixel."""
        return self.postprocess(self(images), (images.shape[-2], images.shape[-1]))

    def criterion(self, output: SegmenterOutput, targets: Targets) -> dict[str, Float[Tensor, ""]]:
        truth = targets.label_map.long()
        logits = resized(output.logits, (truth.shape[-2], truth.shape[-1]))
        losses = {}
        if self.loss != "dice":
            losses["cross_entropy"] = pixel_cross_entropy(logits, truth, self.class_weights)
        if self.loss != "cross_entropy":
            losses["dice"] = dice_loss(logits.softmax(dim=1), truth)
        return losses

    def postprocess(self, output: SegmenterOutput, image_size: tuple[int, int]) -> LabelMaps:
        return LabelMaps(resized(output.logits, image_size).argmax(dim=1).to(torch.uint8))


def resized(logits: Logits, size: tuple[int, int]) -> Logits:
    """In full precision, interpolated to an image's pixels."""
    logits = logits.float()
    return logits if logits.shape[-2:] == size else F.interpolate(logits, size=size, mode="bilinear")
