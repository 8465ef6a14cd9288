"""COCO's score of boxes (Lin et al. 2014): detections collected batch by batch, evaluated by the official protocol."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.metrics import official
from tradeoffs.metrics.gather import Seen, broadcast_from_first, gather_on_first, join
from tradeoffs.metrics.matches import Matches, matches_of
from tradeoffs.structures import Detections


@dataclass
class CocoScores:
    """Scores are fractions from 0 to 1; nan where there is no ground truth to score."""

    summary: dict[str, float]  # mAP, AP50, ..., AR_large: COCO's twelve numbers
    per_class: list[dict]  # id, name, AP, AP50, instances (without crowds)
    errors: dict[str, float]  # by how much AP50 would rise without TIDE's Cls, Loc, Both, Dupe, Bkg, Miss
    num_images: int
    num_detections: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no nan: null instead."""
        return _without_nan(asdict(self))


class CocoMetric:
    """Collects detections and scores them; right under torch.distributed, where an image counts once.

    `ground_truth` is a COCO dict and stays unchanged; `category_ids[label]` is the COCO id of a label.
    """

    def __init__(self, ground_truth: dict, category_ids: list[int], iou_type: str = "bbox"):
        if iou_type != "bbox":
            raise UserError(f"iou_type={iou_type} is not offered; detections consist of boxes, choose iou_type=bbox")
        self.ground_truth = official.boxes_only(ground_truth)
        self.category_ids = category_ids
        self._image_ids = {image["id"] for image in ground_truth["images"]}
        self._parts: list[Seen] = []

    def reset(self) -> None:
        self._parts = []

    def update(self, image_ids: Int64[Tensor, " B"], detections: Detections) -> None:
        """Add a batch, its boxes in pixels of the original images; raises UserError where it cannot be scored."""
        if unknown := set(image_ids.tolist()) - self._image_ids:
            raise UserError(f"image {min(unknown)} was predicted but is not in the ground truth; use the same split")
        part = _to_rows(image_ids, detections, self.category_ids)
        finite = np.isfinite(part.rows).all(axis=1)
        if not finite.all():
            image_id = int(part.rows[~finite, 0][0])
            raise UserError(
                f"a detection in image {image_id} is not finite; check the checkpoint or lower optimizer.lr"
            )
        self._parts.append(part)

    def compute(self, only_seen: bool = False, errors: bool = True) -> CocoScores:
        """The same scores on every rank. Every rank must call it.

        Without `only_seen`, images of the ground truth that were never seen count as missed. `errors` adds
        TIDE's analysis, which about doubles the time.
        """
        seen = gather_on_first(join(self._parts))
        return broadcast_from_first(None if seen is None else self._score(seen, only_seen, errors))

    def coco_results(self) -> list[dict]:
        """All detections in COCO's results format: on rank 0, empty on the others. Every rank must call it.

        Boxes are rounded to a thousandth of a pixel. Scores are not: a tie would change the ranking.
        """
        seen = gather_on_first(join(self._parts))
        if seen is None:
            return []
        image_ids, category_ids = seen.rows[:, [0, 6]].astype(np.int64).T.tolist()
        boxes, scores = seen.rows[:, 1:5].round(3).tolist(), seen.rows[:, 5].tolist()
        return [
            {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}
            for image_id, category_id, box, score in zip(image_ids, category_ids, boxes, scores, strict=True)
        ]

    def matches(self) -> Matches | None:
        """Which detections found an object, on rank 0; None on the others. Every rank must call it."""
        seen = gather_on_first(join(self._parts))
        if seen is None:
            return None
        ids = np.array(sorted(self._image_ids), dtype=np.int64)
        return matches_of(official.evaluate(self.ground_truth, seen.rows, ids, self.category_ids))

    def _score(self, seen: Seen, only_seen: bool, errors: bool) -> CocoScores:
        image_ids = seen.image_ids if only_seen else np.array(sorted(self._image_ids), dtype=np.int64)
        if len(image_ids) == 0:
            raise UserError("there is no image to score; update the metric first, or check the validation split")
        evaluation = official.evaluate(self.ground_truth, seen.rows, image_ids, self.category_ids)
        return CocoScores(
            summary=official.summary(evaluation),
            per_class=official.per_class(evaluation, self.ground_truth),
            errors=official.errors(evaluation) if errors else {},
            num_images=len(image_ids),
            num_detections=len(seen.rows),
        )


def _to_rows(image_ids: Int64[Tensor, " B"], detections: Detections, category_ids: list[int]) -> Seen:
    detections = detections.map(lambda tensor: tensor.detach().cpu())
    valid = detections.valid
    counts = valid.sum(dim=1)
    image_ids = image_ids.cpu()
    # In float64 from here on, as the official protocol computes.
    top_left, bottom_right = detections.boxes[valid].double().split(2, dim=1)
    labels = detections.labels[valid]
    columns = [
        image_ids.repeat_interleave(counts)[:, None],
        top_left,
        bottom_right - top_left,
        detections.scores[valid][:, None],
        torch.tensor(category_ids).index_select(0, labels)[:, None],  # unlike [labels], refuses negative labels
    ]
    rows = torch.cat([column.double() for column in columns], dim=1)
    # Copied: a kept tensor of a batch would hold its worker's shared memory, and with it a file, open.
    return Seen(image_ids.numpy().copy(), counts.numpy(), rows.numpy())


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list():
            return [_without_nan(item) for item in value]
        case float() if math.isnan(value):
            return None
    return value
