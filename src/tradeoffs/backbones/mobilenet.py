"""MobileNet V1 (Howard et al. 2017), the one of Huang et al. 2017."""

from __future__ import annotations

from timm.models import register_model
from timm.models.efficientnet import _gen_mobilenet_v1
from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.errors import MismatchError


def mobilenet(weights: str = "none", padding: str | None = None, width: float | None = None, **options) -> Backbone:
    """Stages end before each halving: Conv2d_11 has stride 16, Conv2d_13 stride 32. Input scaled to -1..1.

    `padding` is that of the weights: TensorFlow's "same" (bottom and right first), or "" (symmetric), which timm's
    own pretrained weights want. Mixed up, accuracy falls by several points. All layers have `width` times the channels
    (the paper's width multiplier, section 3.3).
    """
    if padding is None:
        padding = "" if weights == "pretrained" else "same"
    half = (0.5, 0.5, 0.5)
    options = {"mean": half, "std": half, "pad_type": padding, **options}
    if width in (None, 1.0):
        return timm_backbone("mobilenetv1_100", weights, **options)
    if weights == "pretrained":
        raise MismatchError(f"backbone.width={width}: nobody offers weights for it; give a file, or none")
    return timm_backbone(mobilenetv1_scaled.__name__, weights, width=width, **options)


@register_model
def mobilenetv1_scaled(pretrained: bool = False, width: float = 1.0, **options) -> nn.Module:
    """As timm builds its own ones, of which none is narrow."""
    return _gen_mobilenet_v1("mobilenetv1_100", width, pretrained=pretrained, **options)
