"""What a metric leaves of each image: enough to score any selection of the images again, without data and model.

Intervals, comparisons of two runs and "its worst images" need nothing else, and know no task.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float64, Int64
from numpy import ndarray

from tradeoffs.metrics.class_pixels import ClassPixels
from tradeoffs.metrics.matches import Matches
from tradeoffs.metrics.ratios import Ratios


@runtime_checkable
class Evidence(Protocol):
    """Of M images."""

    image_ids: Int64[ndarray, " M"]

    def score(self, weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        """By name, each image counted `weights` times; nan where that leaves nothing to score."""

    def has_truth_of(self, other: Evidence) -> bool:
        """Whether both were scored on the same images and objects, so that they compare image by image."""

    def save(self, path: Path) -> None: ...


KINDS: dict[str, type[Evidence]] = {  # by the file in a run's folder
    "matches.npz": Matches,
    "ratios.npz": Ratios,
    "pixels.npz": ClassPixels,
}


def save_evidence(evidence: Evidence, folder: Path) -> None:
    (name,) = (name for name, kind in KINDS.items() if isinstance(evidence, kind))
    evidence.save(folder / name)


def evidence_file(folder: Path) -> Path | None:
    """None where a run has left no evidence."""
    return next((folder / name for name in KINDS if (folder / name).is_file()), None)


def load_evidence(file: Path) -> Evidence:
    """Raises UserError where it is missing or damaged."""
    return KINDS[file.name].load(file)
