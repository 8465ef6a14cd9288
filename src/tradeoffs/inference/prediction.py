"""What was found in one image."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from tradeoffs.data.image_file import read_image
from tradeoffs.errors import UserError
from tradeoffs.inference.people import People
from tradeoffs.inference.regions import Regions
from tradeoffs.ops.run_lengths import RunLengths, decoded
from tradeoffs.pictures import draw_boxes, draw_masks

SMALLEST_PICTURE = 480  # pixels of the longer side; smaller images are enlarged, so that names can be read
NOTEBOOK_PICTURE = 1024  # pixels of the longer side, at most


@dataclass(frozen=True, eq=False)
class Prediction:
    """What is in one image, best first; all on the CPU."""

    boxes: Float[Tensor, "n 4"]  # xyxy in pixels of the upright image
    labels: Int64[Tensor, " n"]  # 0..K-1
    scores: Float[Tensor, " n"]
    names: list[str]  # of the classes, one for each box; or the caption
    name: Path  # of the file, below what was searched; of a frame `video.mp4#000123`, counted from 0
    size: tuple[int, int]  # height, width of the upright image
    file: Path | None = None  # where the image can be read again
    seconds: float | None = None  # of a frame, since the beginning
    pixels: UInt8[Tensor, "3 H W"] | None = field(default=None, repr=False)
    segments: list[RunLengths] | None = None  # the masks of all boxes in the upright image, where there are such
    caption: str | None = None  # what is said of the image, where that is no class and has no score
    regions: Regions | None = None  # where each pixel has a class
    people: People | None = None  # where joints are found

    def __len__(self) -> int:
        return len(self.boxes)

    def __str__(self) -> str:
        if self.regions is not None:
            return f"{self.name}: {self.regions}"
        counts = ", ".join(f"{count} {name}" for name, count in Counter(self.names).most_common())
        return f"{self.name}: {self.caption or counts or 'nothing'}"

    @property
    def masks(self) -> UInt8[Tensor, "n H W"] | None:
        """0 or 1, one mask for each box in pixels of the upright image, where there are such: n times its pixels."""
        if self.segments is None:
            return None
        return torch.stack(list(decoded(self.segments))) if self.segments else torch.zeros(0, *self.size).byte()

    @property
    def image(self) -> UInt8[Tensor, "3 H W"]:
        """RGB, upright; read from its file again where the pixels were let go."""
        if self.pixels is not None:
            return self.pixels
        if self.file is None:
            raise UserError(f"the pixels of {self.name} were let go")
        return read_image(self.file, upright=True)

    def draw(self, longest: int | None = None) -> Image.Image:
        """The image with boxes, names and scores; its longer side at most `longest` pixels."""
        return Image.fromarray(self.drawn(longest).permute(1, 2, 0).contiguous().numpy())

    def drawn(self, longest: int | None = None) -> UInt8[Tensor, "3 H2 W2"]:
        scale = max(1.0, SMALLEST_PICTURE / max(self.size))
        scale = scale if longest is None else min(scale, longest / max(self.size))
        if self.regions is not None:
            return self.regions.drawn(self.image, scale)
        if self.people is not None:
            return self.people.drawn(self.image, scale)
        scores = self.scores if self.caption is None else None
        image = self.image
        if self.segments is not None:  # the best lies above others
            image = draw_masks(image, decoded(reversed(self.segments)), reversed(self.labels.tolist()))
        return draw_boxes(image, self.boxes, self.names, scores, classes=self.labels.tolist(), scale=scale)

    def light(self) -> Prediction:
        """Without the pixels, so that many fit into memory."""
        return replace(self, pixels=None)

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        content = io.BytesIO()
        self.draw(NOTEBOOK_PICTURE).save(content, "PNG")
        return content.getvalue()
