"""How many objects a run missed in each image, and how often it saw one that is not there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from tradeoffs.metrics.curves import USUAL_SCORE, best_f1
from tradeoffs.metrics.matches import LOOSE, Matches


class ImageErrors(NamedTuple):
    """Of detections that score `threshold` or more, at an IoU of 0.5."""

    threshold: float
    missed: dict[int, int]  # by image id
    false: dict[int, int]

    def total(self, image_id: int) -> int:
        return self.missed[image_id] + self.false[image_id]

    def worst(self, count: int) -> list[int]:
        """Ids of the images with the most mistakes."""
        return sorted(self.missed, key=lambda image: (-self.total(image), image))[:count]


def image_errors(matches: Matches, threshold: float | None = None) -> ImageErrors:
    """By default from the score of the best F1 on, or the usual one where nothing right was found."""
    if threshold is None:
        best = best_f1(matches)
        threshold = best.threshold if best else USUAL_SCORE
    kept = (matches.scores >= threshold) & ~matches.ignored[LOOSE]
    found = per_image(matches, kept & matches.true[LOOSE])
    false = per_image(matches, kept & ~matches.true[LOOSE])
    ids = matches.image_ids.tolist()
    missed = matches.objects.sum(axis=0) - found
    return ImageErrors(
        threshold, dict(zip(ids, missed.tolist(), strict=True)), dict(zip(ids, false.tolist(), strict=True))
    )


def per_image(matches: Matches, which: ndarray) -> Int64[ndarray, " M"]:
    return np.bincount(matches.images[which], minlength=len(matches.image_ids))
