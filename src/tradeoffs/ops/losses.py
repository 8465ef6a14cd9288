"""Losses of detectors, element by element: how they are summed and normalized is the model's affair.

Those of classes, of images and of pixels, are means.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import area
from tradeoffs.structures import IGNORED


def focal_loss(
    logits: Float[Tensor, "B A K"], labels: Int64[Tensor, "B A"], alpha: float = 0.25, gamma: float = 2.0
) -> Float[Tensor, "B A"]:
    """The focal loss of K sigmoids, summed over them (Lin et al. 2017b, equation 5); label K is background.

    `alpha` weighs the class that is there, 1 - `alpha` those that are not.
    """
    num_classes = logits.shape[-1]
    # Nearly all classes are absent everywhere, so that is computed for all, and put right where an object is. This
    # takes half the passes over memory that one-hot labels would.
    absent = _surprise(logits, gamma).sum(dim=-1)
    own = logits.gather(2, labels.clamp(max=num_classes - 1)[..., None]).squeeze(2)
    correction = alpha * _surprise(-own, gamma) - (1 - alpha) * _surprise(own, gamma)
    return (1 - alpha) * absent + torch.where(labels < num_classes, correction, 0.0)


def giou_loss(boxes: Float[Tensor, "*N 4"], targets: Float[Tensor, "*N 4"]) -> Float[Tensor, "*N"]:
    """One minus the generalized IoU of each box with its target: 0 to 2 (Rezatofighi et al. 2019, algorithm 1)."""
    top_left, bottom_right = torch.maximum(boxes, targets)[..., :2], torch.minimum(boxes, targets)[..., 2:]
    width, height = (bottom_right - top_left).clamp(min=0).unbind(-1)
    intersection = width * height  # the gradient of prod() would have to look for zeros, and wait for the device
    union = area(boxes) + area(targets) - intersection
    hull = area(torch.cat([torch.minimum(boxes, targets)[..., :2], torch.maximum(boxes, targets)[..., 2:]], dim=-1))
    tiny = 1e-7  # boxes without area
    return 1 - intersection / (union + tiny) + (hull - union) / (hull + tiny)


def binary_cross_entropy(
    logits: Float[Tensor, "B K"], truth: Int64[Tensor, " B"] | Float[Tensor, "B K"], label_smoothing: float = 0.0
) -> Float[Tensor, ""]:
    """The mean over images and classes of K sigmoids, each asked whether its class is there (Wightman et al. 2021).

    `truth` holds labels, or the weights of classes in mixed images: whichever has any is there as a whole.
    """
    num_classes = logits.shape[-1]
    there = F.one_hot(truth, num_classes) if truth.ndim == 1 else (truth > 0)
    wanted = there * (1 - label_smoothing) + label_smoothing / num_classes
    return F.binary_cross_entropy_with_logits(logits, wanted.to(logits.dtype))


def pixel_cross_entropy(
    logits: Float[Tensor, "B K H W"], labels: Int64[Tensor, "B H W"], class_weights: Float[Tensor, " K"] | None = None
) -> Float[Tensor, ""]:
    """The mean over pixels, each weighed by its class; 0 where all are IGNORED."""
    loss = F.cross_entropy(logits, labels, weight=class_weights, ignore_index=IGNORED, reduction="sum")
    valid = labels != IGNORED
    if class_weights is None:
        return loss / valid.sum().clamp(min=1)
    weight = (class_weights[labels.masked_fill(~valid, 0)] * valid).sum()
    return loss / weight.clamp(min=torch.finfo(weight.dtype).tiny)  # all classes that are there may weigh nothing


def dice_loss(probabilities: Float[Tensor, "B K H W"], labels: Int64[Tensor, "B H W"]) -> Float[Tensor, ""]:
    """One minus the Dice coefficient 2 |P and T| / (|P| + |T|) of each class, over all pixels of the batch.

    Sums of probabilities take the place of counts (Drozdzal et al. 2016, section 3; Milletari et al. 2016 have squares
    in the denominator). The mean is over classes that are there: of an absent one the coefficient is 0 whatever is
    said. IGNORED pixels are left out.
    """
    classes = torch.arange(probabilities.shape[1], device=labels.device)
    there = labels[:, None] == classes.view(1, -1, 1, 1)
    both = (probabilities * there).sum(dim=(0, 2, 3))
    said = (probabilities * (labels != IGNORED)[:, None]).sum(dim=(0, 2, 3))
    count = there.sum(dim=(0, 2, 3))
    present = count > 0
    dice = 2 * both / (said + count).clamp(min=1)  # a class that is there counts one or more
    return ((1 - dice) * present).sum() / present.sum().clamp(min=1)


def _surprise(logits: Tensor, gamma: float) -> Tensor:
    """The loss of saying with these logits that something is there, when it is not."""
    return logits.sigmoid() ** gamma * F.softplus(logits)
