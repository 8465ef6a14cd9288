"""In-network upsampling: the ways by which a map becomes a finer one (Stanford CS231n 2017, lecture 11).

All are built for maps of some `channels`, and called with the `size` (height, width) of the finer map; those without
weights take maps of any other number of channels, too.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

Map = Float[Tensor, "B C _ _"]
Positions = Int64[Tensor, "B C _ _"]  # of the largest of each window in the finer map, counted row by row


class Upsampling(nn.Module):
    """The signature of all. `positions` are those that max pooling kept; all but `MaxUnpool` do without."""

    needs_positions = False

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        raise NotImplementedError


class Nearest(Upsampling):
    """Each pixel becomes a block of equal ones."""

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        return F.interpolate(x, size=size, mode="nearest")


class Bilinear(Upsampling):
    """Pixels are mixed by their distance."""

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


class BedOfNails(Upsampling):
    """Each pixel becomes the top left one of a block that is zero elsewhere."""

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        rows, columns = (max(round(fine / side), 1) for fine, side in zip(size, x.shape[-2:], strict=True))
        blocks = F.pad(x[:, :, :, None, :, None], (0, columns - 1, 0, 0, 0, rows - 1))
        nails = blocks.flatten(4, 5).flatten(2, 3)
        return F.pad(nails, (0, size[1] - nails.shape[-1], 0, size[0] - nails.shape[-2]))  # cuts what is too much


class MaxUnpool(Upsampling):
    """Each pixel returns to where max pooling had found it; zero elsewhere (Zeiler and Fergus 2014, section 2.1)."""

    needs_positions = True

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        finer = x.new_zeros(*x.shape[:2], size[0] * size[1])
        return finer.scatter(2, positions.flatten(2), x.flatten(2)).unflatten(2, size)


class TransposedConvolution(Upsampling):
    """A learned 3x3 filter of stride 2: each pixel weighs a copy of it, and where copies overlap they are added."""

    kernel_size = 3

    def __init__(self, channels: int):
        super().__init__(channels)
        exactly_twice = {"stride": 2, "padding": 1, "output_padding": 4 - self.kernel_size}
        self.layer = nn.ConvTranspose2d(channels, channels, self.kernel_size, **exactly_twice)

    def forward(self, x: Map, size: tuple[int, int], positions: Positions | None = None) -> Map:
        return fit(self.layer(x), size)


class LearnedBilinear(TransposedConvolution):
    """A learned 4x4 filter of stride 2, at first bilinear, channel by channel (Long et al. 2015, section 3.3)."""

    kernel_size = 4

    def __init__(self, channels: int):
        super().__init__(channels)
        slope = torch.tensor([0.25, 0.75, 0.75, 0.25])
        nn.init.zeros_(self.layer.bias)
        nn.init.zeros_(self.layer.weight)
        self.layer.weight.data[range(channels), range(channels)] = slope[:, None] * slope


def fit(x: Map, size: tuple[int, int]) -> Map:
    """Cut at the right and lower border, or its last pixels repeated there, where `x` is not of this size.

    Pooling rounds odd sizes up, and some backbones pad nothing.
    """
    x = x[..., : size[0], : size[1]]
    missing = (0, size[1] - x.shape[-1], 0, size[0] - x.shape[-2])
    return F.pad(x, missing, mode="replicate") if any(missing) else x


def max_pool(x: Map, layer: nn.MaxPool2d) -> tuple[Map, Positions]:
    """What a pooling layer gives, and the positions from which it took it."""
    options = {"dilation": layer.dilation, "ceil_mode": layer.ceil_mode, "return_indices": True}
    return F.max_pool2d(x, layer.kernel_size, layer.stride, layer.padding, **options)
