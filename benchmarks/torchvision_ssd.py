"""torchvision's SSD300-VGG16 and ours with the same weights, for the benchmark and for the test of equality."""

import torch
from torch import nn
from torchvision.models.detection import ssd300_vgg16

from tradeoffs.backbones.vgg import vgg16
from tradeoffs.models.detection.published import put
from tradeoffs.models.detection.ssd import SSD
from tradeoffs.models.detection.ssd_necks import VGGNeck
from tradeoffs.ops.anchors import ssd300_shapes

STEPS = [8.0, 16.0, 32.0, 64.0, 100.0, 300.0]


def build_pair(num_classes: int, **options) -> tuple[nn.Module, SSD]:
    """torchvision's model with random weights, and ours with a copy of them. `num_classes` is without background."""
    theirs = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=num_classes + 1, **options)
    # Random features are large: without this, scores are 0 or 1 and their order is a matter of rounding.
    with torch.no_grad():
        for parameter in theirs.head.parameters():
            parameter *= 0.05
    # torchvision's transform subtracts these means and multiplies by 255, as its own weights want.
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    ours = SSD(vgg16(mean=mean, std=std), num_classes, VGGNeck, ssd300_shapes, steps=STEPS)
    put("ssd", ours, theirs.state_dict(), range(1, num_classes + 1))
    return theirs, ours
