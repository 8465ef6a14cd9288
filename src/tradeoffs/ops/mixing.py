"""Pairs of images that become one: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019), with both classes' weights.

Each image is mixed with the one that stands as far from the other end of the batch. Draws come from torch's generator.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.distributions import Beta

Mixed = tuple[UInt8[Tensor, "B 3 H W"], Float[Tensor, "B K"]]


def mix(images: UInt8[Tensor, "B 3 H W"], weights: Float[Tensor, "B K"], mixup: float, cutmix: float) -> Mixed:
    """One of the two, each with the parameter of its beta distribution; 0 for never. Both are as likely."""
    with_box = cutmix > 0 and (mixup == 0 or bool(torch.rand(()) < 0.5))
    alpha = cutmix if with_box else mixup
    own = float(Beta(alpha, alpha).sample())
    return cut_mixed(images, weights, own) if with_box else mixed(images, weights, own)


def mixed(images: UInt8[Tensor, "B 3 H W"], weights: Float[Tensor, "B K"], own: float) -> Mixed:
    """`own` parts of each image and 1 - `own` of its partner."""
    blended = torch.lerp(images.flip(0).float(), images.float(), own).round().to(images.dtype)
    return blended, torch.lerp(weights.flip(0), weights, own)


def cut_mixed(images: UInt8[Tensor, "B 3 H W"], weights: Float[Tensor, "B K"], own: float) -> Mixed:
    """A rectangle of the partner, about 1 - `own` of the image, at a random place; weights are by its true area."""
    height, width = images.shape[-2:]
    side = (1 - own) ** 0.5
    y, x = (float(torch.rand(())) * length for length in (height, width))
    top, bottom = (min(max(round(y + sign * side * height / 2), 0), height) for sign in (-1, 1))
    left, right = (min(max(round(x + sign * side * width / 2), 0), width) for sign in (-1, 1))
    pasted = images.clone()
    pasted[..., top:bottom, left:right] = images.flip(0)[..., top:bottom, left:right]
    own = 1 - (bottom - top) * (right - left) / (height * width)
    return pasted, torch.lerp(weights.flip(0), weights, own)
