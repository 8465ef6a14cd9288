"""torchvision's FCOS-R50-FPN and ours with the same weights, for the benchmark and for the test of equality."""

import torch
from torch import nn
from torchvision.models.detection import fcos_resnet50_fpn
from torchvision_retinanet import PYRAMID, randomize
from weight_copy import copy_in_order, copy_pyramid

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.fcos import FCOS


def build_pair(num_classes: int, image_size: int, **options) -> tuple[nn.Module, FCOS]:
    """torchvision's model with random weights, for square images of `image_size` pixels, and ours with a copy of them.

    The size is a multiple of 128, or points differ: torchvision rounds the distances on small maps down. Its classes,
    too, are all objects here: its sigmoids know no background.
    """
    theirs = fcos_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=num_classes,
        min_size=image_size,
        max_size=image_size,
        **options,
    )
    randomize(theirs)
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    ours = FCOS(timm_backbone("resnet50", mean=mean, std=std), num_classes, PYRAMID)
    copy_weights(theirs, ours)
    return theirs, ours


def copy_weights(theirs: nn.Module, ours: FCOS) -> None:
    copy_pyramid(theirs.backbone, ours)
    classes, boxes = theirs.head.classification_head, theirs.head.regression_head
    for source, target in zip((classes.conv, boxes.conv), ours.towers, strict=True):
        copy_in_order(source, target)
    copy_in_order(classes.cls_logits, ours.heads[0])
    with torch.no_grad():
        for name, parameter in ours.heads[1].named_parameters():
            parts = (boxes.bbox_reg, boxes.bbox_ctrness)
            parameter.copy_(torch.cat([part.get_parameter(name) for part in parts]))
