"""VGG16 (Simonyan and Zisserman 2015, configuration D), convolutional part."""

from __future__ import annotations

from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.timm import timm_backbone


def vgg16(weights: str = "none", **options) -> Backbone:
    """Stages conv1_2, conv2_2, conv3_3, conv4_3, conv5_3 (strides 1 to 16) and pool5 (stride 32).

    Pooling rounds sizes up, as in the original: 300 px give maps of 150, 75, 38 and 19 (Liu et al. 2016).
    """
    backbone = timm_backbone("vgg16", weights, **options)
    backbone.head = "fully_connected"
    for module in backbone.modules():
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True
    return backbone
