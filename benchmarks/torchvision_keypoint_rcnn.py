"""torchvision's Keypoint R-CNN with ResNet-50 and FPN, and ours with the same weights, for benchmark and test."""

import torch
from torch import nn
from torchvision.models.detection import KeypointRCNN as TorchvisionKeypointRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d
from torchvision_faster_rcnn import MAX_PER_MAP, randomize

from tradeoffs.backbones.timm import timm_backbone
from tradeoffs.models.detection.published import put
from tradeoffs.models.pose.keypoint_rcnn import KeypointRCNN, keypoint_rcnn


def build_pair(
    num_joints: int, size: int, num_proposals: int = 1000, train_proposals: int = 2000
) -> tuple[nn.Module, KeypointRCNN]:
    """As for Faster R-CNN: random weights, norms frozen, images of `size` x `size`."""
    body = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=3)
    theirs = TorchvisionKeypointRCNN(
        body,
        num_classes=2,
        num_keypoints=num_joints,
        min_size=size,
        max_size=size,
        rpn_pre_nms_top_n_train=MAX_PER_MAP,
        rpn_pre_nms_top_n_test=MAX_PER_MAP,
        rpn_post_nms_top_n_train=train_proposals,
        rpn_post_nms_top_n_test=num_proposals,
    )
    randomize(theirs)
    with torch.no_grad():
        theirs.roi_heads.keypoint_predictor.kps_score_lowres.weight *= 10  # maps that have peaks
    mean, std = theirs.transform.image_mean, theirs.transform.image_std
    ours = keypoint_rcnn(
        timm_backbone("resnet50", mean=mean, std=std, frozen_stages=2, freeze_norm=True),
        num_joints,
        smallest_anchor=32 / size,
        largest_anchor=512 / size,
        num_proposals=num_proposals,
        train_proposals=train_proposals,
    )
    put("keypoint_rcnn", ours, theirs.state_dict(), range(1, num_joints + 1))
    return theirs, ours
