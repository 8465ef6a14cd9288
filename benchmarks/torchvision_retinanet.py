"""torchvision's RetinaNet-R50-FPN and ours with the same weights, for the benchmark and for the test of equality."""

from functools import partial

import torch
from torch import nn
from torchvision.models.detection import retinanet_resnet50_fpn
from weight_copy import copy_in_order, copy_pyramid

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.fpn import FPN
from tradeoffs.models.detection.retinanet import RetinaNet
from tradeoffs.ops.anchors import Shapes, anchor_shapes

PYRAMID = partial(FPN, strides=(8, 16, 32), extra="convolutions")
SIZES = (32, 40, 50), (64, 80, 101), (128, 161, 203), (256, 322, 406), (512, 645, 812)  # pixels


def build_pair(num_classes: int, image_size: int, **options) -> tuple[nn.Module, RetinaNet]:
    """torchvision's model with random weights, for square images of `image_size` pixels, and ours with a copy of them.

    The size is a multiple of 128, or strides differ: torchvision rounds those of small maps down. Its classes, too, are
    all objects here: its sigmoids know no background.
    """
    theirs = retinanet_resnet50_fpn(
        weights=None,
        weights_backbone=None,
        num_classes=num_classes,
        min_size=image_size,
        max_size=image_size,
        **options,
    )
    randomize(theirs)
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    backbone = timm_backbone("resnet50", mean=mean, std=std)
    ours = RetinaNet(backbone, num_classes, PYRAMID, partial(pixel_shapes, image_size=image_size))
    copy_weights(theirs, ours)
    return theirs, ours


def pixel_shapes(num_maps: int, image_size: int) -> Shapes:
    """torchvision's anchors, whose sizes are in pixels whatever the image."""
    return [anchor_shapes([size / image_size for size in sizes]) for sizes in SIZES[:num_maps]]


def copy_weights(theirs: nn.Module, ours: RetinaNet) -> None:
    copy_pyramid(theirs.backbone, ours)
    classes, boxes = theirs.head.classification_head, theirs.head.regression_head
    for source, target in zip((classes.conv, boxes.conv), ours.towers, strict=True):
        copy_in_order(source, target)
    for source, target in zip((classes.cls_logits, boxes.bbox_reg), ours.heads, strict=True):
        copy_in_order(source, target)


@torch.no_grad()
def randomize(model: nn.Module) -> None:
    """Norms as if they had been trained, and towers whose outputs differ from place to place.

    Residual branches add little: untamed, random features double from block to block.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            branch_end = name.endswith("bn3")
            module.weight.uniform_(0.1, 0.3) if branch_end else module.weight.uniform_(0.7, 1.3)
            module.bias.normal_(std=0.1)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.7, 1.3)
        elif isinstance(module, nn.Conv2d) and name.startswith("head"):
            nn.init.kaiming_normal_(module.weight)
