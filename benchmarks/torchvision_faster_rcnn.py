"""torchvision's Faster R-CNN with ResNet-50 and FPN, and ours with the same weights, for benchmark and test."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.faster_rcnn import FasterRCNN, fpn
from tradeoffs.models.detection.published import put

MAX_PER_MAP = 1000  # anchors that reach the suppression, in both modes; torchvision's 2000 in training are an option


def build_pair(
    num_classes: int, size: int, num_proposals: int = 1000, train_proposals: int = 2000
) -> tuple[nn.Module, FasterRCNN]:
    """torchvision's model with random weights, and ours with a copy of them, for images of `size` x `size` pixels.

    torchvision's is what `fasterrcnn_resnet50_fpn` builds for pretrained weights: norms frozen, and the first two
    stages, too. `num_classes` is without background.
    """
    proposals = num_proposals, train_proposals
    theirs = their_network(TorchvisionFasterRCNN, size, *proposals, num_classes=num_classes + 1)
    ours = our_network(fpn, theirs, num_classes, size, *proposals)
    put("faster_rcnn", ours, theirs.state_dict(), range(1, num_classes + 1))
    return theirs, ours


def their_network(
    network: type[nn.Module], size: int, num_proposals: int, train_proposals: int, **outputs: int
) -> nn.Module:
    """One of torchvision's two-stage networks on ResNet-50 with FPN; `outputs` are its numbers of classes, joints."""
    body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3)
    theirs = network(
        body,
        **outputs,
        min_size=size,
        max_size=size,
        rpn_pre_nms_top_n_train=MAX_PER_MAP,
        rpn_pre_nms_top_n_test=MAX_PER_MAP,
        rpn_post_nms_top_n_train=train_proposals,
        rpn_post_nms_top_n_test=num_proposals,
    )
    randomize(theirs)
    return theirs


def our_network(
    build: Callable[..., nn.Module],
    theirs: nn.Module,
    outputs: int,
    size: int,
    num_proposals: int,
    train_proposals: int,
    **options: str,
) -> nn.Module:
    """Ours, by `build`, with the settings of theirs but not yet its weights."""
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    return build(
        timm_backbone("resnet50", mean=mean, std=std, frozen_stages=2, freeze_norm=True),
        outputs,
        smallest_anchor=32 / size,
        largest_anchor=512 / size,
        num_proposals=num_proposals,
        train_proposals=train_proposals,
        **options,
    )


@torch.no_grad()
def randomize(theirs: nn.Module) -> None:
    """Statistics as if trained, maps that neither fade nor grow, and scores and offsets that differ among boxes."""
    for module in theirs.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.weight.uniform_(0.5, 1.0)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.7, 1.3)
    for layer in (theirs.rpn.head.cls_logits, theirs.roi_heads.box_predictor.cls_score):
        layer.weight *= 10
    theirs.roi_heads.box_predictor.bbox_pred.weight *= 10
