"""The maps of a backbone for a decoder that goes back through them, from the coarsest to the finest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.ops.upsampling import Positions, Upsampling, max_pool

Map = Float[Tensor, "B _ _ _"]
BuildUpsampling = Callable[[int], Upsampling]  # from the number of channels


def levels_of(backbone: Backbone) -> list[int]:
    """The last stage of each stride, the finest first. Raises MismatchError unless each map halves the one before."""
    strides = sorted(set(backbone.strides))
    if len(strides) < 2 or any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
        raise MismatchError(
            f"a decoder needs maps of which each halves the one before, and this backbone has strides {strides}; "
            "choose another"
        )
    return [backbone.stage_of(stride) for stride in strides]


def upsamplings_of(build: BuildUpsampling, channels: Sequence[int], backbone: Backbone) -> nn.ModuleList:
    """One to each map but the coarsest, from maps of these channels.

    Raises MismatchError if they need the positions of max pooling and this backbone, or its channels, are others.
    """
    modules = nn.ModuleList(map(build, channels))
    if any(module.needs_positions for module in modules):
        if not all(map(pools, backbone.stages[1:])) or len(backbone.stages) != len(set(backbone.strides)):
            raise MismatchError(
                "upsampling=max_unpool needs a backbone that halves its maps by max pooling alone, such as vgg16; "
                "choose another upsampling"
            )
        if list(channels) != list(backbone.channels[:-1]):
            raise MismatchError(
                f"upsampling=max_unpool needs maps of {list(backbone.channels[:-1])} channels, as they were pooled, "
                f"and the decoder has {list(channels)}; choose other model.channels"
            )
    return modules


def pools(stage: nn.Module) -> bool:
    """Whether it begins with max pooling of windows that do not overlap."""
    first = next(stage.children(), None)
    return isinstance(first, nn.MaxPool2d) and first.kernel_size == first.stride


def encode(
    backbone: Backbone, images: UInt8[Tensor, "B 3 H W"], keep_positions: bool
) -> tuple[list[Map], list[Positions | None]]:
    """The map of each stage, and where in the map before its pooling found what it kept."""
    if not keep_positions:
        return backbone(images), [None] * len(backbone.strides)
    first, *others = backbone.stages
    maps, positions = [first(backbone.normalize(images))], [None]
    for pooling, *layers in others:
        x, where = max_pool(maps[-1], pooling)
        for layer in layers:
            x = layer(x)
        maps.append(x)
        positions.append(where)
    return maps, positions


def size_of(x: Tensor) -> tuple[int, int]:
    """Height and width."""
    return x.shape[-2], x.shape[-1]
