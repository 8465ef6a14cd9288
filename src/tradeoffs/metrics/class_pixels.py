"""How many pixels of each class an image has, how many were taken for it, and how many of these rightly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from tradeoffs.metrics.arrays import save_arrays, saved_arrays
from tradeoffs.metrics.matches import mean_known

FIELDS = ("image_ids", "true", "predicted", "both", "counted")


@dataclass(frozen=True)
class ClassPixels:
    """Of M images and K classes, among pixels that have a class."""

    image_ids: Int64[ndarray, " M"]
    true: Int64[ndarray, "M K"]
    predicted: Int64[ndarray, "M K"]
    both: Int64[ndarray, "M K"]
    counted: Bool[ndarray, " K"]  # the classes over which means go: background may be none of them

    def score(self, weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        """By name, each image counted `weights` times; nan where nothing counts. Sums over images come first.

        Long et al. 2015, section 5. A class that is neither there nor predicted is left out of the mean IoU.
        """
        iou, accuracy, true, both = self.of_classes(weights)
        parts = true / true.sum() if true.any() else np.full_like(true, np.nan)
        return {
            "mean_iou": mean_known(iou),
            "pixel_accuracy": float(both.sum() / true.sum()) if true.any() else float("nan"),
            "mean_accuracy": mean_known(accuracy),
            "frequency_iou": float(np.nansum(np.where(true > 0, parts * iou, 0))) if true.any() else float("nan"),
        }

    def of_classes(self, weights: Float64[ndarray, " M"] | None = None) -> tuple[Float64[ndarray, " C"], ...]:
        """IoU and accuracy, nan where there is none, true pixels and right ones of each class that is counted."""
        weights = np.ones(len(self.image_ids)) if weights is None else weights
        true, predicted, both = (weights @ each[:, self.counted] for each in (self.true, self.predicted, self.both))
        union = true + predicted - both
        with np.errstate(invalid="ignore", divide="ignore"):
            return both / union, both / true, true, both

    @property
    def mistakes(self) -> Float64[ndarray, " M"]:
        """Per cent of each image's pixels that are taken for another class."""
        return 100 * (1 - self.both.sum(axis=1) / self.true.sum(axis=1).clip(min=1)) * (self.true.sum(axis=1) > 0)

    def has_truth_of(self, other: ClassPixels) -> bool:
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("image_ids", "true", "counted"))
        return all(np.array_equal(*pair) for pair in pairs)

    def save(self, path: Path) -> None:
        """Written whole or not at all."""
        save_arrays(path, **{name: getattr(self, name) for name in FIELDS})

    @classmethod
    def load(cls, path: Path) -> ClassPixels:
        """Raises UserError if the file is missing or damaged."""
        with saved_arrays(path) as file:
            return cls(**{name: file[name] for name in FIELDS})
