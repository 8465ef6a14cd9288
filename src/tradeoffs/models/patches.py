"""A network that looks at patches of an image, one by one or all at once: the scores are equal, the cost is not."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError

PLAIN = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.ReLU, nn.Tanh, nn.BatchNorm2d, nn.Sequential, nn.ModuleList)

Look = Callable[[UInt8[Tensor, "N 3 _ _"]], Float[Tensor, "N C _ _"]]  # of a patch: one pixel


def receptive_field(backbone: Backbone) -> int:
    """The side of what a pixel of the last map sees. Raises MismatchError unless the network is plain and unpadded."""
    side, jump = 1, 1
    for layer in backbone.stages.modules():
        if not isinstance(layer, PLAIN) or getattr(layer, "padding", 0) not in (0, (0, 0)):
            raise MismatchError(
                "a sliding window needs a plain backbone that pads nothing, such as convnet; choose that"
            )
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            kernel, stride, dilation = (
                side_of(getattr(layer, key, 1)) for key in ("kernel_size", "stride", "dilation")
            )
            side, jump = side + (kernel - 1) * dilation * jump, jump * stride
    return side


def side_of(value: int | tuple[int, int]) -> int:
    return value if isinstance(value, int) else value[0]


def border_before(patch: int, step: int) -> int:
    """Pixels between the first patch's left (upper) edge and the image's."""
    return (patch - step) // 2


def surrounded(images: UInt8[Tensor, "B 3 H W"], patch: int, step: int) -> UInt8[Tensor, "B 3 _ _"]:
    """Images with a black border, so that a patch lies around each cell of `step` pixels, and no pixel is left over."""
    before = border_before(patch, step)
    below, right = ((math.ceil(length / step) - 1) * step + patch - before - length for length in images.shape[-2:])
    return F.pad(images, (before, right, before, below))


def one_by_one(
    look: Look, padded: UInt8[Tensor, "B 3 _ _"], patch: int, step: int, chunk: int
) -> Float[Tensor, "B C _ _"]:
    """What `look` says of each patch by itself, `chunk` of them together.

    A view of all patches takes no memory; only those of a chunk are copied out of it.
    """
    patches = padded.unfold(2, patch, step).unfold(3, patch, step).permute(0, 2, 3, 1, 4, 5)
    count, rows, columns = patches.shape[:3]
    places = torch.arange(count * rows * columns, device=padded.device).split(chunk)
    seen = [look(patches[place // (rows * columns), place // columns % rows, place % columns]) for place in places]
    return torch.cat(seen).view(count, rows, columns, -1).permute(0, 3, 1, 2)
