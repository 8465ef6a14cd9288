"""Scores that are a sum over a sum, such as right answers over images: what each image adds to both sums."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from tradeoffs.metrics.arrays import save_arrays, saved_arrays

NUMBERS = ("image_ids", "above", "below", "mistakes")


@dataclass(frozen=True)
class Ratios:
    """S scores of M images. An image that does not count for one has 0 below its line.

    `mistakes` say how wrong an image is, in numbers of `mistake`, such as `wrong` or `degrees off`.
    """

    image_ids: Int64[ndarray, " M"]
    names: list[str]
    above: Float64[ndarray, "S M"]
    below: Float64[ndarray, "S M"]
    mistakes: Float64[ndarray, " M"]
    mistake: str
    truth: Int64[ndarray, " M"] | None = None  # of each image, where it is one number

    def score(self, weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        """By name, each image counted `weights` times; nan where nothing counts."""
        weights = np.ones(len(self.image_ids)) if weights is None else weights
        with np.errstate(invalid="ignore", divide="ignore"):
            values = (self.above @ weights) / (self.below @ weights)
        return dict(zip(self.names, values.tolist(), strict=True))

    def has_truth_of(self, other: Ratios) -> bool:
        pairs = ((self.image_ids, other.image_ids), (self.below, other.below), (self.known_truth, other.known_truth))
        return all(np.array_equal(*pair) for pair in pairs)

    @property
    def known_truth(self) -> Int64[ndarray, " _"]:
        return np.empty(0, np.int64) if self.truth is None else self.truth

    def save(self, path: Path) -> None:
        """Written whole or not at all."""
        words = {"names": np.array(self.names, str), "mistake": np.array(self.mistake, str)}
        save_arrays(path, **{name: getattr(self, name) for name in NUMBERS}, truth=self.known_truth, **words)

    @classmethod
    def load(cls, path: Path) -> Ratios:
        """Raises UserError if the file is missing or damaged."""
        with saved_arrays(path) as file:
            numbers = {name: file[name] for name in NUMBERS}
            truth = file["truth"] if "truth" in file and file["truth"].size else None
            return cls(**numbers, names=file["names"].tolist(), mistake=str(file["mistake"]), truth=truth)
