"""The classes of an image's pixels, kept small: a mask for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from tradeoffs.data.run_lengths import masks_of_values
from tradeoffs.data.segmentation import background_of, paint
from tradeoffs.pictures import draw_label_map
from tradeoffs.pictures.label_maps import colour_of, save_index_picture
from tradeoffs.structures import IGNORED

FEW = 5  # classes that are named


@dataclass(frozen=True, eq=False)
class Regions:
    """A mask of each class that occurs, the largest first; they fill the image."""

    masks: list[dict]  # as `masks_of_values` gives them
    labels: list[int]  # 0..K-1
    class_names: Sequence[str]  # by label

    @classmethod
    def of(cls, label_map: UInt8[Tensor, "H W"], class_names: Sequence[str]) -> Regions:
        values = label_map.cpu().numpy()
        counts = np.bincount(values.ravel(), minlength=len(class_names))
        labels = [label for label in np.argsort(-counts, kind="stable").tolist() if counts[label]]
        return cls(masks_of_values(values, labels), labels, class_names)

    @property
    def label_map(self) -> UInt8[Tensor, "H W"]:
        codes, areas = zip(*((mask["segmentation"], mask["area"]) for mask in self.masks), strict=True)
        return paint(codes, np.array(self.labels), np.array(areas, np.float32), IGNORED, *codes[0]["size"])

    @property
    def shares(self) -> dict[str, float]:
        """The part of the image that is of each class, by name."""
        total = sum(mask["area"] for mask in self.masks)
        pairs = zip(self.labels, self.masks, strict=True)
        return {self.class_names[label]: mask["area"] / total for label, mask in pairs}

    def __str__(self) -> str:
        named = [f"{name} {100 * share:.0f} %" for name, share in list(self.shares.items())[:FEW]]
        return ", ".join(named) + (", ..." if len(self.labels) > FEW else "")

    def drawn(self, image: UInt8[Tensor, "3 H W"], scale: float) -> UInt8[Tensor, "3 H2 W2"]:
        size = [max(1, round(side * scale)) for side in image.shape[1:]]
        names = self.class_names
        return draw_label_map(resize(image, size, antialias=True), [self.label_map], names, background_of(names))

    def save(self, path: Path, category_ids: Sequence[int]) -> None:
        """As a PNG whose pixels are the classes' ids; labels, where an id is more than fits into one byte."""
        values = category_ids if max(category_ids) < IGNORED else range(len(category_ids))
        table = torch.tensor([*values, *[IGNORED] * (IGNORED + 1 - len(category_ids))], dtype=torch.uint8)
        colours = {values[label]: colour_of(label) for label in range(len(category_ids))}
        save_index_picture(table[self.label_map.long()], colours, path)

    def as_annotations(self, category_ids: Sequence[int]) -> list[dict]:
        """In COCO's format for stuff."""
        return [
            {"category_id": category_ids[label], **mask, "iscrowd": 0, "score": 1.0}
            for label, mask in zip(self.labels, self.masks, strict=True)
        ]
