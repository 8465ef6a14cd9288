"""torchvision's Faster R-CNN with ResNet-50 and FPN, and ours with the same weights, for benchmark and test."""

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
    body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3)
    theirs = TorchvisionFasterRCNN(
        body,
        num_classes + 1,
        min_size=size,
        max_size=size,
        rpn_pre_nms_top_n_train=MAX_PER_MAP,
        rpn_pre_nms_top_n_test=MAX_PER_MAP,
        rpn_post_nms_top_n_train=train_proposals,
        rpn_post_nms_top_n_test=num_proposals,
    )
    randomize(theirs)
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    ours = fpn(
        timm_backbone("resnet50", mean=mean, std=std, frozen_stages=2, freeze_norm=True),
        num_classes,
        smallest_anchor=32 / size,
        largest_anchor=512 / size,
        num_proposals=num_proposals,
        train_proposals=train_proposals,
    )
    put("faster_rcnn", ours, theirs.state_dict(), range(1, num_classes + 1))
    return theirs, ours


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
