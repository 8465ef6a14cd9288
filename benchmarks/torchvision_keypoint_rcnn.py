"""torchvision's Keypoint R-CNN with ResNet-50 and FPN, and ours with the same weights, for benchmark and test."""

import torch
from torch import nn
from torchvision.models.detection import KeypointRCNN as TorchvisionKeypointRCNN
from torchvision_faster_rcnn import our_network, their_network

from tradeoffs.models.detection.published import put
from tradeoffs.models.pose.keypoint_rcnn import KeypointRCNN, keypoint_rcnn


def build_pair(
    num_joints: int, size: int, num_proposals: int = 1000, train_proposals: int = 2000
) -> tuple[nn.Module, KeypointRCNN]:
    """As for Faster R-CNN: random weights, norms frozen, images of `size` x `size`."""
    proposals = num_proposals, train_proposals
    theirs = their_network(TorchvisionKeypointRCNN, size, *proposals, num_classes=2, num_keypoints=num_joints)
    with torch.no_grad():
        theirs.roi_heads.keypoint_predictor.kps_score_lowres.weight *= 10  # maps that have peaks
    ours = our_network(keypoint_rcnn, theirs, num_joints, size, *proposals)
    put("keypoint_rcnn", ours, theirs.state_dict(), range(1, num_joints + 1))
    return theirs, ours
