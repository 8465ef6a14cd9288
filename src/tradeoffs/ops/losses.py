"""Losses of dense detectors, element by element: how they are summed and normalized is the model's affair."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from tradeoffs.ops.boxes import area


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


def _surprise(logits: Tensor, gamma: float) -> Tensor:
    """The loss of saying with these logits that something is there, when it is not."""
    return logits.sigmoid() ** gamma * F.softplus(logits)
