"""How well people and their joints are found by a model that looks for people itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float64
from numpy import ndarray

from tradeoffs.data.people import People, match
from tradeoffs.metrics.gather import gather_lists
from tradeoffs.metrics.poses import Found, PoseMetric, finite
from tradeoffs.structures import Batch, DetectedPoses, Skeleton, originals


class DetectedPoseMetric(PoseMetric):
    """As `PoseMetric`, of people whose boxes are the model's own; a person scores what its box does.

    For PCK a box is that annotated person whose box it overlaps most, half or more; boxes of higher score choose first
    (`people.match`). A person whom no box finds has all joints wrong. COCO's OKS needs no boxes, it compares poses.
    """

    def __init__(
        self,
        ground_truth: Mapping,
        skeleton: Skeleton,
        truth: People,
        image_ids: Sequence[int],
        sigmas: Sequence[float],
        length: str = "auto",
    ):
        super().__init__(ground_truth, skeleton, truth, truth, image_ids, sigmas, length)
        self._places = {image_id: place for place, image_id in enumerate(image_ids)}

    def reset(self) -> None:
        super().reset()
        self._rows: list[tuple[int, Float64[ndarray, "_ _"]]] = []  # place of the image; box, score, joints of each

    def update(self, batch: Batch, found: DetectedPoses) -> None:
        """Add a batch, in pixels of its images. Raises UserError for no numbers."""
        joints = found.joints_in(batch).flatten(2)
        rows = torch.cat([originals(found.boxes, batch), found.scores[..., None], joints], dim=-1)
        real, self._matched = finite(rows[found.valid]), None  # padding need not be
        parts = np.split(real, found.valid.sum(dim=1).cumsum(dim=0).tolist()[:-1])
        self._rows += [(self._places[each], part) for each, part in zip(batch.image_ids.tolist(), parts, strict=True)]

    def _gathered(self) -> Found | None:
        gathered = gather_lists(self._rows)
        if gathered is None:
            return None
        once = dict(reversed(gathered))
        seen = np.array(sorted(once), np.int64)
        rows = np.concatenate([np.empty((0, 5 + 3 * len(self.skeleton.names))), *(once[place] for place in seen)])
        images = np.repeat(seen, [len(once[place]) for place in seen])
        whose = match(images, rows[:, :4].astype(np.float32), self.truth)
        keypoints = rows[:, 5:].reshape(len(rows), len(self.skeleton.names), 3)
        return Found(images, whose, rows[:, 4], keypoints, np.isin(self.truth.images, seen), seen)
