"""torchvision's RetinaNet-R50-FPN and ours with the same weights, for the benchmark and for the test of equality."""

from functools import partial

import torch
from torch import nn
from torchvision.models.detection import retinanet_resnet50_fpn

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.fpn import FPN
from tradeoffs.models.detection.published import put
from tradeoffs.models.detection.retinanet import RetinaNet, octave_shapes

PYRAMID = partial(FPN, strides=(8, 16, 32), extra="convolutions")
# torchvision's anchors, in pixels whatever the image.
SIZES = (32, 40, 50), (64, 80, 101), (128, 161, 203), (256, 322, 406), (512, 645, 812)


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
    ours = RetinaNet(backbone, num_classes, PYRAMID, partial(octave_shapes, sizes=SIZES, side=image_size))
    put("retinanet", ours, theirs.state_dict(), range(num_classes))
    return theirs, ours


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
