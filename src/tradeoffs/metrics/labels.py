"""How well images are classified: top-1 and top-5 accuracy, by class, and whether probabilities can be believed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.metrics.gather import broadcast_from_first, gather_images
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.structures import Labels

FEW = 5  # classes among which the right one counts for top-5
BINS = 15  # of the calibration error (Guo et al. 2017, section 4)


@dataclass
class LabelScores:
    """Fractions from 0 to 1."""

    summary: dict[str, float]  # top1, top5, class_mean, calibration_error
    per_class: list[dict]  # id, name, accuracy (nan without images), instances
    num_images: int

    def to_dict(self) -> dict[str, Any]:
        content = asdict(self)
        for row in content["per_class"]:
            row["accuracy"] = None if np.isnan(row["accuracy"]) else row["accuracy"]
        return content


class LabelMetric:
    """Collects what images are taken for; right under torch.distributed, where an image counts once.

    `class_names` and `category_ids` are by label.
    """

    def __init__(self, class_names: list[str], category_ids: list[int]):
        self.class_names, self.category_ids = list(class_names), list(category_ids)
        self.reset()

    def reset(self) -> None:
        self._ids: list[ndarray] = []
        self._rows: list[ndarray] = []  # truth, classes, their scores

    def update(self, image_ids: Int64[Tensor, " B"], found: Labels, truth: Int64[Tensor, " B"]) -> None:
        """Add a batch. Raises UserError where a score is no number."""
        scores = found.scores.detach().double().cpu().numpy()
        if not np.isfinite(scores).all():
            raise UserError("a score is not finite; check the checkpoint or lower optimizer.lr")
        columns = (truth[:, None].double().cpu().numpy(), found.labels.double().cpu().numpy(), scores)
        self._ids.append(image_ids.cpu().numpy())
        self._rows.append(np.concatenate(columns, axis=1))

    def compute(self, only_seen: bool = False) -> LabelScores:
        """The same scores on every rank. Every rank must call it."""
        seen = self._seen()
        return broadcast_from_first(None if seen is None else self._score(seen))

    def predictions(self) -> list[dict]:
        """The best classes of each image, the best first: on rank 0, empty on the others. Every rank must call it."""
        if (seen := self._seen()) is None:
            return []
        return [
            {"image_id": image_id, "category_id": self.category_ids[label], "score": score}
            for image_id, labels, scores in zip(
                *(part.tolist() for part in (seen.ids, seen.labels, seen.scores)), strict=True
            )
            for label, score in zip(labels, scores, strict=True)
        ]

    def evidence(self, only_seen: bool = False) -> Ratios | None:
        """Which images are right, on rank 0; None on the others. Every rank must call it."""
        if (seen := self._seen()) is None:
            return None
        above = np.stack([seen.right[:, 0], seen.right.any(axis=1)]).astype(float)
        return Ratios(seen.ids, ["top1", "top5"], above, np.ones_like(above), 1 - above[0], "wrong", seen.truth)

    def confusion(self) -> list[list[int]] | None:
        """Images by true class and the class that they were taken for, on rank 0. Every rank must call it."""
        if (seen := self._seen()) is None:
            return None
        matrix = np.zeros((len(self.class_names),) * 2, np.int64)
        np.add.at(matrix, (seen.truth, seen.labels[:, 0]), 1)
        return matrix.tolist()

    def _seen(self) -> SeenLabels | None:
        width = 1 + 2 * min(FEW, len(self.class_names))
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        found = gather_images(ids, np.concatenate([np.empty((0, width)), *self._rows]))
        return None if found is None else SeenLabels.of(*found)

    def _score(self, seen: SeenLabels) -> LabelScores:
        if not len(seen.ids):
            raise UserError("there is no image to score; check the validation split")
        right = seen.right[:, 0]
        counts = np.bincount(seen.truth, minlength=len(self.class_names))
        hits = np.bincount(seen.truth, right, minlength=len(self.class_names))
        accuracy = np.divide(hits, counts, out=np.full(len(counts), np.nan), where=counts > 0)
        summary = {
            "top1": float(right.mean()),
            "top5": float(seen.right.any(axis=1).mean()),
            "class_mean": float(np.nanmean(accuracy)),
            "calibration_error": calibration_error(seen.scores[:, 0], right),
        }
        columns = (self.category_ids, self.class_names, accuracy.tolist(), counts.tolist())
        rows = [
            dict(zip(("id", "name", "accuracy", "instances"), row, strict=True)) for row in zip(*columns, strict=True)
        ]
        return LabelScores(summary, rows, len(seen.ids))


@dataclass(frozen=True)
class SeenLabels:
    """M images, each once, and the N best classes of each."""

    ids: Int64[ndarray, " M"]
    truth: Int64[ndarray, " M"]
    labels: Int64[ndarray, "M N"]
    scores: Float64[ndarray, "M N"]

    @classmethod
    def of(cls, ids: Int64[ndarray, " M"], rows: Float64[ndarray, "M C"]) -> SeenLabels:
        labels, scores = np.split(rows[:, 1:], 2, axis=1)
        return cls(ids, rows[:, 0].astype(np.int64), labels.astype(np.int64), scores)

    @property
    def right(self) -> ndarray:
        return self.labels == self.truth[:, None]


def calibration_error(confidence: Float64[ndarray, " M"], right: ndarray) -> float:
    """By how much confidence and accuracy differ, over bins of equal width (Guo et al. 2017, equation 3)."""
    places = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    gaps = np.bincount(places, right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))
