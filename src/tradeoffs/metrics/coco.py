"""COCO's score of boxes (Lin et al. 2014): detections collected batch by batch, evaluated by the official protocol."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.metrics import official
from tradeoffs.metrics.confusion import Confusion, confusion
from tradeoffs.metrics.curves import BestF1, best_f1
from tradeoffs.metrics.gather import Seen, broadcast_from_first, gather_on_first, join
from tradeoffs.metrics.matches import Matches, matches_of
from tradeoffs.structures import Detections

FEW_CELLS = 20_000  # images times classes, up to which what was matched is read in a moment


@dataclass
class CocoScores:
    """Scores are fractions from 0 to 1; nan where there is no ground truth to score."""

    summary: dict[str, float]  # mAP, AP50, ..., AR_large: COCO's twelve numbers; see `official.summary`
    per_class: list[dict]  # id, name, AP, AP50, instances (without crowds)
    errors: dict[str, float]  # by how much AP50 would rise without TIDE's Cls, Loc, Both, Dupe, Bkg, Miss
    num_images: int
    num_detections: int
    max_detections: int  # of an image that were counted, the best ones

    def to_dict(self) -> dict[str, Any]:
        """For JSON, which has no nan: null instead."""
        return _without_nan(asdict(self))


class CocoMetric:
    """Collects detections and scores them; right under torch.distributed, where an image counts once.

    `ground_truth` is a COCO dict and stays unchanged; `category_ids[label]` is the COCO id of a label, and ids may have
    64 bits. Of the detections in an image the best `max_detections` count, 100 in COCO's protocol.
    """

    shape = "bbox"  # what of objects is compared, as the libraries call it
    needed = staticmethod(official.boxes_only)  # of the ground truth

    def __init__(self, ground_truth: dict, category_ids: list[int], max_detections: int = official.MOST_DETECTIONS):
        self._image_ids = np.array(sorted({image["id"] for image in ground_truth["images"]}), dtype=np.int64)
        self._category_ids = np.array(sorted(category_ids), dtype=np.int64)
        self._classes = torch.from_numpy(np.searchsorted(self._category_ids, category_ids))  # of each label
        ids = self._image_ids.tolist(), self._category_ids.tolist()
        self.ground_truth = official.numbered(self.needed(ground_truth), *ids)
        self.max_detections = max_detections
        self.reset()

    def reset(self) -> None:
        self._parts: list[Seen] = []
        self._evaluation: Any = None  # what `compute` scored last, if it is small

    def update(self, image_ids: Int64[Tensor, " B"], detections: Detections, codes: Sequence[str] = ()) -> None:
        """Add a batch, its boxes in pixels of the original images; raises UserError where it cannot be scored.

        `codes` are of the masks of the valid detections, image by image, where masks are scored.
        """
        images = self._numbers(image_ids.cpu().numpy())
        part = _to_rows(images, detections, self._classes, codes)
        finite = np.isfinite(part.rows).all(axis=1)
        if not finite.all():
            image_id = self._image_ids[int(part.rows[~finite, 0][0])]
            raise UserError(
                f"a detection in image {image_id} is not finite; check the checkpoint or lower optimizer.lr"
            )
        self._parts.append(part)

    def _numbers(self, image_ids: Int64[np.ndarray, " B"]) -> Int64[np.ndarray, " B"]:
        """The place of each among all."""
        unknown = image_ids[~np.isin(image_ids, self._image_ids)]
        if len(unknown):
            raise UserError(f"image {unknown.min()} was predicted but is not in the ground truth; use the same split")
        return np.searchsorted(self._image_ids, image_ids)

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
        return [] if seen is None else self._written(seen)

    def _written(self, seen: Seen) -> list[dict]:
        images, classes = seen.rows[:, [0, 6]].astype(np.int64).T
        image_ids, category_ids = self._image_ids[images].tolist(), self._category_ids[classes].tolist()
        boxes, scores = seen.rows[:, 1:5].round(3).tolist(), seen.rows[:, 5].tolist()
        return [
            {"image_id": image_id, "category_id": category_id, "bbox": box, "score": score}
            for image_id, category_id, box, score in zip(image_ids, category_ids, boxes, scores, strict=True)
        ]

    predictions = coco_results  # as all metrics call it

    def evidence(self, only_seen: bool = False) -> Matches | None:
        """Which detections found an object, on rank 0; None on the others. Every rank must call it."""
        seen = gather_on_first(join(self._parts))
        if seen is None:
            return None
        images = self._images(seen, only_seen)
        matches = matches_of(self._evaluate(seen, images))
        return replace(matches, image_ids=self._image_ids[images], class_ids=self._category_ids)

    def quick_best_f1(self) -> BestF1 | None:
        """Of what `compute` scored last, without another evaluation. No other rank need call it.

        None on ranks other than 0, where nothing was found, and where more than `FEW_CELLS` would have to be read.
        """
        return None if self._evaluation is None else best_f1(matches_of(self._evaluation))

    def confusion(self, threshold: float, only_seen: bool = False) -> Confusion | None:
        """Which class was taken for which, on rank 0, whose `threshold` counts; None on the others, as `matches`."""
        seen = gather_on_first(join(self._parts))
        if seen is None:
            return None
        names = {category["id"]: category["name"] for category in self.ground_truth["categories"]}
        classes = [names[number] for number in range(len(self._category_ids))]
        images = self._images(seen, only_seen)
        return confusion(self.ground_truth["annotations"], seen.rows, images, classes, threshold)

    def _images(self, seen: Seen, only_seen: bool) -> Int64[np.ndarray, " M"]:
        return seen.images if only_seen else np.arange(len(self._image_ids))

    def _evaluate(self, seen: Seen, images: Int64[np.ndarray, " M"]) -> Any:
        classes = list(range(len(self._category_ids)))
        found = self._results(seen)
        return official.evaluate(self.ground_truth, found, images, classes, self.max_detections, self.shape)

    def _results(self, seen: Seen) -> Any:
        """What was found, as the libraries take it."""
        return seen.rows

    def _score(self, seen: Seen, only_seen: bool, errors: bool) -> CocoScores:
        images = self._images(seen, only_seen)
        if len(images) == 0:
            raise UserError("there is no image to score; update the metric first, or check the validation split")
        evaluation = self._evaluate(seen, images)
        self._evaluation = evaluation if len(images) * len(self._category_ids) <= FEW_CELLS else None
        rows = official.per_class(evaluation, self.ground_truth)
        return CocoScores(
            summary=official.summary(evaluation),
            per_class=[{**row, "id": int(self._category_ids[row["id"]])} for row in rows],
            errors=official.errors(evaluation) if errors else {},
            num_images=len(images),
            num_detections=len(seen.rows),
            max_detections=self.max_detections,
        )


def _to_rows(
    images: Int64[np.ndarray, " B"], detections: Detections, classes: Int64[Tensor, " K"], codes: Sequence[str]
) -> Seen:
    """`classes[label]` is the number of a label's class."""
    detections = detections.map(lambda tensor: tensor.detach().cpu())
    valid = detections.valid
    counts = valid.sum(dim=1)
    # In float64 from here on, as the official protocol computes.
    top_left, bottom_right = detections.boxes[valid].double().split(2, dim=1)
    labels = detections.labels[valid]
    columns = [
        torch.from_numpy(images).repeat_interleave(counts)[:, None],
        top_left,
        bottom_right - top_left,
        detections.scores[valid][:, None],
        classes.index_select(0, labels)[:, None],  # unlike [labels], refuses negative labels
    ]
    rows = torch.cat([column.double() for column in columns], dim=1)
    texts = np.full(len(rows), "", object)
    texts[: len(codes)] = codes
    return Seen(images, counts.numpy(), rows.numpy(), texts)


def _without_nan(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_nan(item) for key, item in value.items()}
        case list():
            return [_without_nan(item) for item in value]
        case float() if math.isnan(value):
            return None
    return value
