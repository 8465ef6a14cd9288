"""Layers that make masks of what is seen of regions, what they learn, and what is made of what they say."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

# One yes or no for each class, or one choice among all classes and the background (He et al. 2017, table 2b).
MaskKind = Literal["sigmoid", "softmax"]


def mask_layers(channels: int, hidden: int, convolutions: int, outputs: int) -> nn.Sequential:
    """Some 3x3 `convolutions`, a deconvolution that doubles the sides, and a map of each output."""
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [nn.Conv2d(hidden if number else channels, hidden, 3, padding=1), nn.ReLU(inplace=True)]
    layers += [nn.ConvTranspose2d(hidden if convolutions else channels, hidden, 2, stride=2), nn.ReLU(inplace=True)]
    layers.append(nn.Conv2d(hidden, outputs, kernel_size=1))
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


def mask_losses(
    logits: Float[Tensor, "R K2 M M"], labels: Int64[Tensor, " R"], wanted: Float[Tensor, "R M M"], kind: MaskKind
) -> Float[Tensor, " R"]:
    """Cross entropy of each region's mask, the mean of its pixels (He et al. 2017, section 3).

    With `sigmoid` other classes than the region's have no part in it, with `softmax` they compete.
    """
    if kind == "sigmoid":
        losses = F.binary_cross_entropy_with_logits(of_label(logits, labels), wanted, reduction="none")
    else:
        scores = logits.log_softmax(dim=1)
        losses = -(wanted * of_label(scores, labels) + (1 - wanted) * scores[:, -1])
    return losses.mean(dim=(1, 2))


def probabilities(
    logits: Float[Tensor, "R K2 M M"], labels: Int64[Tensor, " R"], kind: MaskKind
) -> Float[Tensor, "R M M"]:
    """Of each pixel to belong to an object of the region's class."""
    return of_label(logits, labels).sigmoid() if kind == "sigmoid" else of_label(logits.softmax(dim=1), labels)


def of_label(maps: Float[Tensor, "R K2 M M"], labels: Int64[Tensor, " R"]) -> Float[Tensor, "R M M"]:
    return maps[torch.arange(len(maps), device=maps.device), labels]
