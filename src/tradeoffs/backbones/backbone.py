"""The contract of all backbones: a sequence of stages with declared channels and strides."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, UInt8
from timm.layers import freeze_batch_norm_2d
from torch import Tensor, nn

from tradeoffs.errors import MismatchError


class Backbone(nn.Module):
    """Normalizes images and gives one feature map per stage.

    `mean` and `std` are those of the weights, for values in 0..1: normalization belongs to the network, so images
    travel as uint8 and a timed forward pass includes it. The first `frozen_stages` stages are not trained;
    `freeze_norm` keeps the statistics and affine parameters of all batch norms as they are.
    """

    head = "pool"  # what this architecture has between its last map and its classes: or `fully_connected`, as VGG

    def __init__(
        self,
        stages: Sequence[nn.Module],
        channels: Sequence[int],
        strides: Sequence[int],
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        frozen_stages: int = 0,
        freeze_norm: bool = False,
    ):
        super().__init__()
        stages = [freeze_batch_norm_2d(stage) for stage in stages] if freeze_norm else stages
        self.stages = nn.ModuleList(stages)
        self.channels, self.strides = tuple(channels), tuple(strides)
        self.register_buffer("scale", 1 / (255 * torch.tensor(std)).view(3, 1, 1), persistent=False)
        self.register_buffer("shift", -(torch.tensor(mean) / torch.tensor(std)).view(3, 1, 1), persistent=False)
        self.freeze(frozen_stages)

    def freeze(self, count: int) -> None:
        """The first `count` stages are not trained from now on."""
        if not 0 <= count <= len(self.stages):
            raise MismatchError(f"backbone.frozen_stages={count}; this backbone has {len(self.stages)} stages")
        self.frozen_stages = count
        for stage in self.stages[:count]:
            stage.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Frozen stages stay in evaluation mode, so that their batch norms keep their statistics."""
        super().train(mode)
        for stage in self.stages[: self.frozen_stages]:
            stage.eval()
        return self

    def normalize(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H W"]:
        return torch.addcmul(self.shift, images.to(self.scale.dtype), self.scale)

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        features, x = [], self.normalize(images)
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """Those of each stage, first to last."""
        return [list(stage.parameters()) for stage in self.stages]

    def stage_of(self, stride: int) -> int:
        """The index of the last stage of this stride, the richest one of its resolution."""
        if stride not in self.strides:
            raise MismatchError(
                f"this backbone has no features of stride {stride}; choose: {sorted(set(self.strides))}"
            )
        return max(index for index, own in enumerate(self.strides) if own == stride)

    def trunk(self, stride: int) -> Backbone:
        """The stages up to the last one of `stride` (the same modules, not copies), for models that need no more."""
        return self.first(self.stage_of(stride) + 1)

    def split(self, stride: int) -> tuple[Backbone, nn.Sequential]:
        """The trunk of `stride`, and the stages after it.

        Two-stage detectors use the rest as the head of their second stage (Huang et al. 2017, table 2). The final stage
        always is in the rest, also where dilation leaves it at `stride`, or all stages at a smaller one.
        """
        last = self.stage_of(min(stride, max(self.strides)))
        end = min(last + 1, len(self.stages) - 1)
        return self.first(end), LastStages(list(self.stages[end:]), self.frozen_stages - end)

    def first(self, count: int) -> Backbone:
        stages, frozen = list(self.stages[:count]), min(self.frozen_stages, count)
        first = Backbone(stages, self.channels[:count], self.strides[:count], frozen_stages=frozen)
        first.scale, first.shift = self.scale, self.shift
        return first


class LastStages(nn.Sequential):
    """The stages after a trunk; the first `frozen` of them stay in evaluation mode, as in a whole backbone."""

    def __init__(self, stages: Sequence[nn.Module], frozen: int):
        super().__init__(*stages)
        self.frozen = max(frozen, 0)

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        return [list(stage.parameters()) for stage in self]

    def train(self, mode: bool = True) -> LastStages:
        super().train(mode)
        for stage in list(self)[: self.frozen]:
            stage.eval()
        return self
