"""Feature pyramids: maps of all strides with the same number of channels (Lin et al. 2017)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError, UserError
from tradeoffs.models.layers import Convolution

Map = Float[Tensor, "B _ _ _"]


class FPN(nn.Module):
    """The backbone's maps of `strides` (those that it has), merged from coarse to fine, and extra coarser ones.

    `extra` is `pool` (one map, every other pixel of the last: Faster R-CNN) or `convolutions` (two maps of stride-2
    convolutions: RetinaNet, Lin et al. 2017b, section 4).
    """

    def __init__(
        self,
        backbone: Backbone,
        strides: Sequence[int] = (4, 8, 16, 32),
        channels: int = 256,
        extra: Literal["pool", "convolutions"] = "pool",
    ):
        super().__init__()
        if sorted(set(strides)) != list(strides):
            raise UserError(f"a pyramid's strides rise, and {list(strides)} do not; give them in order, each once")
        self.strides = [stride for stride in strides if stride in backbone.strides]  # without the extra maps
        if not self.strides:
            wanted, own = sorted(strides), sorted(set(backbone.strides))
            raise MismatchError(
                f"a pyramid needs maps of strides {wanted}, and this backbone has {own}; choose another"
            )
        self.sources = [backbone.stage_of(stride) for stride in self.strides]
        self.last_stride = max(self.strides)
        blocks = LastLevelMaxPool() if extra == "pool" else CoarserMaps(channels, channels)
        self.pyramid = FeaturePyramidNetwork([backbone.channels[i] for i in self.sources], channels, blocks)
        self.channels = [channels] * (len(self.strides) + (1 if extra == "pool" else 2))

    def forward(self, features: list[Map]) -> list[Map]:
        return list(self.pyramid(OrderedDict((str(i), features[i]) for i in self.sources)).values())


class CoarserMaps(LastLevelP6P7):
    """torchvision's two convolutions, safe on maps of one pixel."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels)
        for name, inputs in (("p6", in_channels), ("p7", out_channels)):
            layer = Convolution(inputs, out_channels, kernel_size=3, stride=2, padding=1)
            layer.load_state_dict(getattr(self, name).state_dict())  # starts as torchvision's
            setattr(self, name, layer)
