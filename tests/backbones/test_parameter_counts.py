"""The six backbones of Huang et al. 2017 have the very sizes of its table 2, so they are those networks.

The paper counted with TensorFlow, and not every network alike: convolutions always in full, weights and biases; of a
batch norm, some of its four numbers per channel (scale, shift, running mean and variance).
"""

import pytest
from torch import nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.runs.build import build
from tradeoffs.settings.compose import compose

PUBLISHED = {
    "vgg16": 14_714_688,
    "mobilenet": 3_191_072,
    "inception_v2": 10_173_112,
    "resnet101": 42_605_504,
    "inception_v3": 21_802_784,
    "inception_resnet_v2": 54_336_736,
}


def counted_as_published(name: str, backbone: Backbone) -> int:
    convolutions = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    parameters = sum(p.numel() for convolution in convolutions for p in convolution.parameters())
    channels = sum(module.num_features for module in backbone.modules() if isinstance(module, nn.BatchNorm2d))
    match name:
        case "vgg16":
            return parameters
        case "mobilenet":  # one number per channel, and none for depthwise convolutions
            return parameters + sum(c.out_channels for c in convolutions if c.groups == 1)
        case "inception_v2":  # no scale; and TF-slim's classifier has a bias in the first layer, no batch norm
            stem = 64
            return parameters + 3 * (channels - stem) + stem
        case "resnet101":
            return parameters + 4 * channels
        case "inception_v3" | "inception_resnet_v2":  # no scale
            return parameters + 3 * channels


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_without_the_classifier_are_those_of_table_2(name):
    backbone = build(compose("train", [f"backbone={name}"]), "backbone")
    assert counted_as_published(name, backbone) == PUBLISHED[name]


@pytest.mark.parametrize(("width", "millions"), [(1.0, 4.2), (0.75, 2.6), (0.5, 1.3), (0.25, 0.5)])
def test_narrow_mobilenets_are_those_of_table_6(width, millions):
    """Of Howard et al. 2017, with a classifier of 1000 classes."""
    backbone = build(compose("train", [f"backbone.width={width}"]), "backbone")
    parameters = sum(p.numel() for p in backbone.parameters())
    assert round((parameters + 1000 * (backbone.channels[-1] + 1)) / 1e6, 1) == millions


def test_nobody_offers_weights_of_narrow_mobilenets():
    with pytest.raises(MismatchError, match=r"backbone.width=0.5: nobody offers weights for it; give a file, or none"):
        build(compose("train", ["backbone.width=0.5", "backbone.weights=pretrained"]), "backbone")
