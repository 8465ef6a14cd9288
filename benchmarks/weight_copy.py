"""How weights get from torchvision's models into ours."""

import torch
from torch import nn


def copy_pyramid(theirs: nn.Module, ours: nn.Module) -> None:
    """ResNet and feature pyramid."""
    copy_in_order(theirs.body, ours.backbone.stages)
    ours.neck.pyramid.load_state_dict(theirs.fpn.state_dict())


@torch.no_grad()
def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Parameters and statistics, which both modules hold in the same order under different names."""
    for tensor, copy in zip(source.state_dict().values(), target.state_dict().values(), strict=True):
        if tensor.shape != copy.shape:
            raise ValueError(f"shapes differ: {tuple(tensor.shape)} and {tuple(copy.shape)}")
        copy.copy_(tensor)
