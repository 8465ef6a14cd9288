"""One patch, one class (Farabet et al. 2013; Pinheiro and Collobert 2014): a classifier at every place of an image."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.semantic_segmentation.encoder import size_of
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter

PLAIN = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.ReLU, nn.Tanh, nn.BatchNorm2d, nn.Sequential, nn.ModuleList)


class SlidingWindow(Segmenter):
    """The class of the patch around each place of a grid of `step` pixels, by default the backbone's.

    A patch is what one pixel of the backbone's last map sees; beyond the image it is black. `shared` runs the network
    over the whole image at once, which gives the same scores at the backbone's own stride; else patch by patch, `chunk`
    of them together.
    """

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        shared: bool = False,
        step: int | None = None,
        chunk: int = 256,
        **options: Any,
    ):
        super().__init__(num_classes, **options)
        self.backbone, self.patch = backbone, receptive_field(backbone)
        self.shared, self.step, self.chunk = shared, step or backbone.strides[-1], chunk
        if shared and self.step != backbone.strides[-1]:
            raise MismatchError(
                f"model.step={step} is not the stride of the shared map, {backbone.strides[-1]}; leave it out, "
                "or give model.shared=false"
            )
        self.heads = nn.ModuleList([nn.Conv2d(backbone.channels[-1], num_classes, kernel_size=1)])

    def scores(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K _ _"]:
        padded, grid = self.surrounded(images)
        return self.classify(padded) if self.shared else self.one_by_one(padded, grid)

    def classify(self, images: UInt8[Tensor, "N 3 _ _"]) -> Float[Tensor, "N K _ _"]:
        """Of a patch: one pixel."""
        return self.heads[0](self.backbone(images)[-1])

    def surrounded(self, images: UInt8[Tensor, "B 3 H W"]) -> tuple[UInt8[Tensor, "B 3 _ _"], tuple[int, int]]:
        """Images with a border, so that a patch lies around each cell of the grid; and the grid's rows and columns."""
        height, width = size_of(images)
        rows, columns = math.ceil(height / self.step), math.ceil(width / self.step)
        before = (self.patch - self.step) // 2
        below, right = (
            (count - 1) * self.step + self.patch - before - length
            for count, length in ((rows, height), (columns, width))
        )
        return F.pad(images, (before, right, before, below)), (rows, columns)

    def one_by_one(self, padded: UInt8[Tensor, "B 3 _ _"], grid: tuple[int, int]) -> Float[Tensor, "B K _ _"]:
        """A view of all patches takes no memory; only those of a chunk are copied out of it."""
        patches = padded.unfold(2, self.patch, self.step).unfold(3, self.patch, self.step)
        patches = patches.permute(0, 2, 3, 1, 4, 5)
        rows, columns = grid
        places = torch.arange(len(padded) * rows * columns, device=padded.device).split(self.chunk)
        scores = [
            self.classify(patches[place // (rows * columns), place // columns % rows, place % columns])
            for place in places
        ]
        return torch.cat(scores).view(len(padded), rows, columns, -1).permute(0, 3, 1, 2)


def receptive_field(backbone: Backbone) -> int:
    """The side of what a pixel of the last map sees. Raises MismatchError unless the network is plain and unpadded."""
    side, jump = 1, 1
    for layer in backbone.stages.modules():
        if not isinstance(layer, PLAIN) or getattr(layer, "padding", 0) not in (0, (0, 0)):
            raise MismatchError(
                "model=sliding_window needs a plain backbone that pads nothing, such as convnet; choose that"
            )
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            kernel, stride, dilation = (
                side_of(getattr(layer, key, 1)) for key in ("kernel_size", "stride", "dilation")
            )
            side, jump = side + (kernel - 1) * dilation * jump, jump * stride
    return side


def side_of(value: int | tuple[int, int]) -> int:
    return value if isinstance(value, int) else value[0]
