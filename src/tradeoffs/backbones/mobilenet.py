"""MobileNet V1 (Howard et al. 2017), the one of Huang et al. 2017."""

from __future__ import annotations

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.timm import timm_backbone


def mobilenet(weights: str = "none", padding: str | None = None, **options) -> Backbone:
    """Stages end before each halving: Conv2d_11 has stride 16, Conv2d_13 stride 32. Input scaled to -1..1.

    `padding` is that of the weights: TensorFlow's "same" (bottom and right first), or "" (symmetric), which timm's
    own pretrained weights want. Mixed up, accuracy falls by several points.
    """
    if padding is None:
        padding = "" if weights == "pretrained" else "same"
    half = (0.5, 0.5, 0.5)
    return timm_backbone("mobilenetv1_100", weights, mean=half, std=half, pad_type=padding, **options)
