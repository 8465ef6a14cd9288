"""How well pixels are classified: mean IoU and its kin, in pixels of the original images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from tradeoffs.data.run_lengths import masks_of_values
from tradeoffs.errors import UserError
from tradeoffs.metrics.class_pixels import ClassPixels
from tradeoffs.metrics.gather import broadcast_from_first, gather_lists, gather_predictions
from tradeoffs.structures import IGNORED

LabelMap = UInt8[ndarray, "_h _w"]


@dataclass
class SegmentationScores:
    """Fractions from 0 to 1."""

    summary: dict[str, float]
    per_class: list[dict]  # id, name, IoU and accuracy (None where there is none), pixels
    num_images: int

    def to_dict(self) -> dict[str, Any]:
        return vars(self)


class SegmentationMetric:
    """Compares label maps with the truth; right under torch.distributed, where an image counts once.

    `truth(image_id)` is the label map of an image at its own size, `IGNORED` where nothing is known. Without
    `count_background` the class of the label `background` stands in no mean, but its pixels are scored: as mistakes
    where they were taken for an object.
    """

    def __init__(
        self,
        truth: Callable[[int], LabelMap],
        class_names: Sequence[str],
        category_ids: Sequence[int],
        background: int | None = None,
        count_background: bool = True,
    ):
        self.truth = truth
        self.class_names, self.category_ids = list(class_names), list(category_ids)
        self.counted = np.ones(len(self.class_names), bool)
        if background is not None:
            self.counted[background] = count_background
        self.background = background
        self.reset()

    def reset(self) -> None:
        self._matrices: list[tuple[int, ndarray, ndarray]] = []  # image, filled cells of its confusion matrix, counts
        self._predictions: list[list[dict]] = []

    def update(self, image_ids: Int64[ndarray, " B"], labels: Sequence[LabelMap]) -> None:
        """Add a batch; label maps are of the size of the original images."""
        for image_id, found in zip(image_ids.tolist(), labels, strict=True):
            cells = confusion_of(self.truth(image_id), found, len(self.class_names))
            filled = np.flatnonzero(cells)
            self._matrices.append((image_id, filled, cells[filled]))
            self._predictions.append(self.as_results(image_id, found))

    def as_results(self, image_id: int, labels: LabelMap) -> list[dict]:
        """The mask of each class, as COCO's format for stuff has it; background is what no mask covers."""
        present = [label for label in np.unique(labels).tolist() if label != self.background]
        return [
            {"image_id": image_id, "category_id": self.category_ids[label], "segmentation": mask["segmentation"]}
            for label, mask in zip(present, masks_of_values(labels, present), strict=True)
        ]

    def compute(self, only_seen: bool = False) -> SegmentationScores:
        """The same scores on every rank. Every rank must call it."""
        evidence = self.evidence()
        return broadcast_from_first(None if evidence is None else self._score(evidence))

    def predictions(self) -> list[dict]:
        """On rank 0, ordered by image; empty on the others. Every rank must call it."""
        return gather_predictions(self._predictions)

    def evidence(self, only_seen: bool = False) -> ClassPixels | None:
        """On rank 0; None on the others. Every rank must call it."""
        if (matrices := self._gathered()) is None:
            return None
        side = len(self.class_names)
        columns = [np.zeros((len(matrices), side), np.int64) for _ in range(3)]
        for row, (cells, counts) in enumerate(matrices.values()):
            true, predicted = np.divmod(cells, side)
            right = true == predicted
            for column, label, pixels in ((0, true, counts), (1, predicted, counts), (2, true, counts * right)):
                columns[column][row] = np.bincount(label, pixels, minlength=side)
        return ClassPixels(np.array(list(matrices), np.int64), *columns, self.counted)

    def confusion(self) -> Int64[ndarray, "K K"] | None:
        """Pixels by true class and the class that they were taken for, on rank 0. Every rank must call it."""
        if (matrices := self._gathered()) is None:
            return None
        total = np.zeros(len(self.class_names) ** 2, np.int64)
        for cells, counts in matrices.values():
            total[cells] += counts
        return total.reshape(len(self.class_names), -1)

    def _gathered(self) -> dict[int, tuple[ndarray, ndarray]] | None:
        """By image, ordered by id."""
        found = gather_lists(self._matrices)
        ordered = None if found is None else sorted(found, key=lambda each: each[0])
        return None if ordered is None else {image: (cells, counts) for image, cells, counts in ordered}

    def _score(self, evidence: ClassPixels) -> SegmentationScores:
        if not evidence.true.any():
            raise UserError("there is no labelled pixel to score; check the validation split")
        every = replace(evidence, counted=np.ones_like(self.counted))
        values = [np.where(np.isnan(each), None, each).tolist() for each in every.of_classes()[:2]]
        columns = (self.category_ids, self.class_names, *values, evidence.true.sum(axis=0).tolist())
        keys = ("id", "name", "IoU", "accuracy", "pixels")
        rows = [dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)]
        return SegmentationScores(evidence.score(), rows, len(evidence.image_ids))


def confusion_of(truth: LabelMap, found: LabelMap, num_classes: int) -> Int64[ndarray, " C"]:
    """Pixels by true class (slow) and found class (fast), of one image. Raises ValueError where their sizes differ."""
    if truth.shape != found.shape:
        raise ValueError(f"the label map is {found.shape}, its truth {truth.shape}")
    known = truth != IGNORED
    cells = truth[known].astype(np.int64) * num_classes + found[known]
    return np.bincount(cells, minlength=num_classes**2)
