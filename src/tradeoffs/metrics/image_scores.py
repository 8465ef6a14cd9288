"""Scores that are means over images of something that each image has: hits, errors, overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64, Shaped
from numpy import ndarray
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.metrics.gather import broadcast_from_first, gather_images, gather_predictions
from tradeoffs.metrics.ratios import Ratios


@dataclass
class MeanScores:
    summary: dict[str, float]
    num_images: int
    per_class: list[dict] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {"summary": self.summary, "per_class": self.per_class, "num_images": self.num_images}


class ImageScores:
    """Collects `names` of each image; right under torch.distributed, where an image counts once.

    `mistake` is one of them by which images are bad: `mistake_word` says how, such as `wrong` or `off`. With `inverted`
    it is what lacks to 1.
    """

    def __init__(self, names: Sequence[str], mistake: str, mistake_word: str, inverted: bool = False):
        self.names, self.mistake, self.mistake_word, self.inverted = list(names), mistake, mistake_word, inverted
        self.reset()

    def reset(self) -> None:
        self._ids: list[ndarray] = []
        self._values: list[ndarray] = []
        self._predictions: list[list[dict]] = []  # of each image

    def update(
        self,
        image_ids: Int64[Tensor, " B"],
        values: Mapping[str, Shaped[Tensor, " B"]],
        predictions: Sequence[list[dict]],
    ) -> None:
        """Add a batch; `predictions` lack their `image_id`. Raises UserError where a value is no number."""
        rows = np.stack([values[name].detach().double().cpu().numpy() for name in self.names], axis=1)
        if not np.isfinite(rows).all():
            raise UserError("a score is not finite; check the checkpoint or lower optimizer.lr")
        ids = image_ids.cpu().numpy()
        self._ids.append(ids)
        self._values.append(rows)
        own = zip(ids.tolist(), predictions, strict=True)
        self._predictions += [[{"image_id": image_id, **each} for each in found] for image_id, found in own]

    def compute(self, only_seen: bool = False) -> MeanScores:
        """The same scores on every rank. Every rank must call it."""
        evidence = self.evidence()
        if evidence is not None and not len(evidence.image_ids):
            raise UserError("there is no image to score; check the validation split")
        scores = None if evidence is None else MeanScores(evidence.score(), len(evidence.image_ids))
        return broadcast_from_first(scores)

    def predictions(self) -> list[dict]:
        """On rank 0, ordered by image; empty on the others. Every rank must call it."""
        return gather_predictions(self._predictions)

    def evidence(self, only_seen: bool = False) -> Ratios | None:
        """On rank 0; None on the others. Every rank must call it."""
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        found = gather_images(ids, np.concatenate([np.empty((0, len(self.names))), *self._values]))
        if found is None:
            return None
        images, above = found[0], found[1].T
        bad = above[self.names.index(self.mistake)]
        return Ratios(
            images, self.names, above, np.ones_like(above), 1 - bad if self.inverted else bad, self.mistake_word
        )
