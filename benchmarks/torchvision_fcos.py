"""torchvision's FCOS-R50-FPN and ours with the same weights, for the benchmark and for the test of equality."""

from torch import nn
from torchvision.models.detection import fcos_resnet50_fpn
from torchvision_retinanet import PYRAMID, randomize

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.fcos import FCOS
from tradeoffs.models.detection.published import put


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
    put("fcos", ours, theirs.state_dict(), range(num_classes))
    return theirs, ours
