"""One patch, one class (Farabet et al. 2013; Pinheiro and Collobert 2014): a classifier at every place of an image."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.errors import MismatchError
from tradeoffs.models.patches import one_by_one, receptive_field, surrounded
from tradeoffs.models.semantic_segmentation.segmenter import Segmenter


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
        padded = surrounded(images, self.patch, self.step)
        if self.shared:
            return self.classify(padded)
        return one_by_one(self.classify, padded, self.patch, self.step, self.chunk)

    def classify(self, images: UInt8[Tensor, "N 3 _ _"]) -> Float[Tensor, "N K _ _"]:
        """Of a patch: one pixel."""
        return self.heads[0](self.backbone(images)[-1])
