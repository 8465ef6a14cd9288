"""No backbone, for models with layers of their own: images are normalized, and that is all."""

from __future__ import annotations

from tradeoffs.backbones.backbone import Backbone


def none(weights: str = "none") -> Backbone:
    """With ImageNet's mean and standard deviation. `weights` is what every backbone has; there are none."""
    return Backbone([], [], [])
