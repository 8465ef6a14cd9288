"""torchvision's Mask R-CNN with ResNet-50 and FPN, and ours with the same weights, for benchmark and test."""

import torch
from torch import nn
from torchvision.models.detection import MaskRCNN as TorchvisionMaskRCNN
from torchvision_faster_rcnn import our_network, their_network

from tradeoffs.models.detection.published import put
from tradeoffs.models.instance_segmentation.mask_rcnn import MaskRCNN, mask_rcnn


def build_pair(
    num_classes: int, size: int, num_proposals: int = 1000, train_proposals: int = 2000
) -> tuple[nn.Module, MaskRCNN]:
    """As for Faster R-CNN: random weights, norms frozen, images of `size` x `size`, `num_classes` less background."""
    proposals = num_proposals, train_proposals
    theirs = their_network(TorchvisionMaskRCNN, size, *proposals, num_classes=num_classes + 1)
    with torch.no_grad():
        theirs.roi_heads.mask_predictor.mask_fcn_logits.weight *= 10  # masks that have shapes
    ours = our_network(mask_rcnn, theirs, num_classes, size, *proposals, neck="fpn")
    put("mask_rcnn", ours, theirs.state_dict(), range(1, num_classes + 1))
    return theirs, ours
