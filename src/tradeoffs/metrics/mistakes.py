"""What a run got wrong in each image, by its evidence."""

from __future__ import annotations

from functools import singledispatch
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from tradeoffs.metrics.class_pixels import ClassPixels
from tradeoffs.metrics.curves import USUAL_SCORE, best_f1
from tradeoffs.metrics.evidence import Evidence
from tradeoffs.metrics.matches import LOOSE, Matches
from tradeoffs.metrics.ratios import Ratios


class Mistakes(NamedTuple):
    """By kind, such as `missed`, how many in each image, by its id.

    `threshold` is the score from which on what was found counts; None where nothing has a score to be compared with
    one. `is_best` says that it is the one with the highest F1.
    """

    kinds: dict[str, dict[int, float]]
    threshold: float | None = None
    is_best: bool = False

    @property
    def image_ids(self) -> list[int]:
        return sorted(next(iter(self.kinds.values())))

    def total(self, image_id: int) -> float:
        return sum(counts[image_id] for counts in self.kinds.values())

    def worst(self, count: int) -> list[int]:
        """Ids of the images with the most mistakes."""
        return sorted(self.image_ids, key=lambda image: -self.total(image))[:count]

    def words(self, image_id: int) -> str:
        """Such as `2 missed, 1 false`."""
        return ", ".join(f"{counts[image_id]:.3g} {kind}" for kind, counts in self.kinds.items())


@singledispatch
def mistakes(evidence: Evidence, threshold: float | None = None) -> Mistakes:
    """By default from the score of the best F1 on, or the usual one where nothing right was found."""
    raise TypeError(f"nobody knows the mistakes of {type(evidence).__name__}")


@mistakes.register
def _(evidence: Matches, threshold: float | None = None) -> Mistakes:
    """Objects that were missed, and what was found that is none, at an IoU of 0.5."""
    best = best_f1(evidence) if threshold is None else None
    if threshold is None:
        threshold = best.threshold if best else USUAL_SCORE
    kept = (evidence.scores >= threshold) & ~evidence.ignored[LOOSE]
    found = per_image(evidence, kept & evidence.true[LOOSE])
    counts = {
        "missed": evidence.objects.sum(axis=0) - found,
        "false": per_image(evidence, kept & ~evidence.true[LOOSE]),
    }
    return Mistakes({kind: by_image(evidence, values) for kind, values in counts.items()}, threshold, best is not None)


@mistakes.register
def _(evidence: Ratios, threshold: float | None = None) -> Mistakes:
    return Mistakes({evidence.mistake: by_image(evidence, evidence.mistakes)})


@mistakes.register
def _(evidence: ClassPixels, threshold: float | None = None) -> Mistakes:
    return Mistakes({"% of pixels wrong": by_image(evidence, evidence.mistakes)})


def per_image(matches: Matches, which: ndarray) -> Int64[ndarray, " M"]:
    return np.bincount(matches.images[which], minlength=len(matches.image_ids))


def by_image(evidence: Evidence, values: ndarray) -> dict[int, float]:
    return dict(zip(evidence.image_ids.tolist(), values.tolist(), strict=True))
