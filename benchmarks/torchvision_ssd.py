"""torchvision's SSD300-VGG16 and ours with the same weights, for the benchmark and for the test of equality."""

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssd300_vgg16
from weight_copy import copy_in_order

from tradeoffs.backbones.vgg import vgg16
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
    copy_weights(theirs, ours)
    return theirs, ours


@torch.no_grad()
def copy_weights(theirs: nn.Module, ours: SSD) -> None:
    extractor = theirs.backbone
    features = nn.ModuleList([*extractor.features, *extractor.extra[0][:-1]])
    copy_in_order(features, ours.backbone.stages[:5])
    copy_in_order(extractor.extra[0][-1], ours.neck.fc)
    copy_in_order(extractor.extra[1:], ours.neck.extra)
    ours.neck.scale.copy_(extractor.scale_weight)
    for k, head in enumerate(ours.heads):
        boxes = ours.num_shapes[k]
        offsets, logits = theirs.head.regression_head.module_list[k], theirs.head.classification_head.module_list[k]
        head.weight.copy_(_interleave(offsets.weight, logits.weight, boxes))
        head.bias.copy_(_interleave(offsets.bias, logits.bias, boxes))


def _interleave(offsets: Tensor, logits: Tensor, boxes: int) -> Tensor:
    """One row of offsets and logits per box, and the background class, torchvision's first, last."""
    logits = logits.unflatten(0, (boxes, -1)).roll(-1, dims=1)
    return torch.cat([offsets.unflatten(0, (boxes, 4)), logits], dim=1).flatten(0, 1)
