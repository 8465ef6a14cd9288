"""Which detections found an object, image by image: enough to score any selection of images without the data set."""

from __future__ import annotations

from dataclasses import dataclass, fields
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy import ndarray

from tradeoffs.metrics.arrays import save_arrays, saved_arrays

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)  # at which COCO reads the precision
LOOSE, STRICT = 0, 5  # places of the IoU thresholds 0.5 and 0.75
TINY = np.spacing(1)  # as COCO's evaluation has it, against division by zero


@dataclass(frozen=True)
class Matches:
    """N detections of all classes, those of a class in the order in which COCO ranks them; M images, C classes.

    At each of the ten IoU thresholds a detection is true, false, or counts as neither (`ignored`: a crowd, say).
    """

    image_ids: Int64[ndarray, " M"]
    class_ids: Int64[ndarray, " C"]
    objects: Int64[ndarray, "C M"]  # without crowds
    classes: Int64[ndarray, " N"]  # index into class_ids, ascending
    images: Int64[ndarray, " N"]  # index into image_ids
    scores: Float32[ndarray, " N"]
    true: Bool[ndarray, "10 N"]
    ignored: Bool[ndarray, "10 N"]
    prefix: str = ""  # of the names of the scores

    def average_precision(self, weights: Float64[ndarray, " M"] | None = None) -> Float64[ndarray, "10 C"]:
        """By IoU threshold and class, each image counted `weights` times; nan for a class without objects."""
        return self.precision_at_recalls(weights).mean(axis=2)

    def score(self, weights: Float64[ndarray, " M"] | None = None) -> dict[str, float]:
        """mAP, AP50 and AP75, each image counted `weights` times; nan for images without objects."""
        precision = self.average_precision(weights)
        parts = {"mAP": precision, "AP50": precision[LOOSE], "AP75": precision[STRICT]}
        return {self.prefix + name: mean_known(part) for name, part in parts.items()}

    def has_truth_of(self, other: Matches) -> bool:
        return all(
            np.array_equal(getattr(self, what), getattr(other, what)) for what in ("image_ids", "class_ids", "objects")
        )

    def precision_at_recalls(self, weights: Float64[ndarray, " M"] | None = None) -> Float64[ndarray, "10 C 101"]:
        """COCO's precision-recall curves: at each recall the highest precision that is reached with it or a higher one.

        0 where a recall is not reached; the rest as in `average_precision`, which is their mean.
        """
        weights = np.ones(len(self.image_ids)) if weights is None else weights
        bounds = np.searchsorted(self.classes, np.arange(len(self.class_ids) + 1))
        columns = [
            self._of_class(slice(*bounds[number : number + 2]), weights, self.objects[number] @ weights)
            for number in range(len(self.class_ids))
        ]
        return np.stack(columns, axis=1)

    def _of_class(self, part: slice, weights: ndarray, objects: float) -> Float64[ndarray, "10 101"]:
        if objects == 0:
            return np.full((len(IOU_THRESHOLDS), len(RECALLS)), np.nan)
        weight = weights[self.images[part]]
        true = np.cumsum(self.true[:, part] * weight, axis=1)
        false = np.cumsum(~(self.true[:, part] | self.ignored[:, part]) * weight, axis=1)
        precision = true / (true + false + TINY)
        precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        return np.stack([at_recalls(*curve) for curve in zip(true / objects, precision, strict=True)])

    def save(self, path: Path) -> None:
        """A compressed file of about ten bytes a detection, written whole or not at all."""
        content = {field.name: getattr(self, field.name) for field in fields(self)}
        packed = {name: np.packbits(content.pop(name), axis=1) for name in ("true", "ignored")}
        save_arrays(path, **content, **packed)

    @classmethod
    def load(cls, path: Path) -> Matches:
        """Raises UserError if the file is missing or damaged."""
        with saved_arrays(path) as file:
            content = {field.name: file[field.name] for field in fields(cls) if field.name in file}
            count = len(content["scores"])
            for name in ("true", "ignored"):
                content[name] = np.unpackbits(content[name], axis=1, count=count).astype(bool)
            return cls(**content | {"prefix": str(content.get("prefix", ""))})


def mean_known(values: Float64[ndarray, "*N"]) -> float:
    """Without what is nan; nan where nothing else is, as in a sample of images without objects."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def at_recalls(recall: Float64[ndarray, " N"], precision: Float64[ndarray, " N"]) -> Float64[ndarray, " 101"]:
    """The precision at each of COCO's recalls; 0 where a recall is not reached."""
    places = np.searchsorted(recall, RECALLS, side="left")
    return np.append(precision, 0.0)[places]


def matches_of(evaluation: Any) -> Matches:
    """Of a COCOeval that has evaluated, hotcoco's or pycocotools': at all sizes, with the most detections."""
    class_ids, image_ids = (np.array(ids, np.int64) for ids in (evaluation.params.catIds, evaluation.params.imgIds))
    places = {image_id: place for place, image_id in enumerate(image_ids.tolist())}
    objects = np.zeros((len(class_ids), len(image_ids)), np.int64)
    cells = cells_by_class(evaluation)
    parts = []
    for number, class_id in enumerate(class_ids.tolist()):
        own = sorted(((places[int(cell["image_id"])], cell) for cell in cells.get(class_id, ())), key=itemgetter(0))
        for place, cell in own:
            objects[number, place] = np.count_nonzero(~np.asarray(cell["gtIgnore"], bool))
        parts.append(ranked(number, own, evaluation.params.maxDets[-1]))
    columns = [np.concatenate(column, axis=-1) for column in zip(*parts, strict=True)]
    return Matches(image_ids, class_ids, objects, *columns)


def cells_by_class(evaluation: Any) -> dict[int, list[dict]]:
    """What was matched in each image with a class, at all sizes. pycocotools has None where there is nothing."""
    everything = list(evaluation.params.areaRng[0])
    found: dict[int, list[dict]] = {}
    for cell in evaluation.evalImgs:
        if cell is not None and list(cell["aRng"]) == everything:
            found.setdefault(int(cell["category_id"]), []).append(cell)
    return found


def ranked(number: int, cells: list[tuple[int, dict]], most: int) -> tuple[ndarray, ...]:
    """The columns of one class, in the order that COCO's stable sort gives: of equal scores the earlier image first."""
    kept = [(place, cell) for place, cell in cells if len(cell["dtScores"])]
    thresholds = len(IOU_THRESHOLDS)
    if not kept:
        nothing = np.zeros(0, np.int64)
        return nothing, nothing, np.zeros(0, np.float32), *(np.zeros((thresholds, 0), bool) for _ in range(2))
    scores = np.concatenate([np.asarray(cell["dtScores"][:most], float) for _, cell in kept])
    images = np.repeat([place for place, _ in kept], [len(cell["dtScores"][:most]) for _, cell in kept])
    matched, ignored = (
        np.concatenate(
            [np.asarray(cell[key], float).reshape(thresholds, -1)[:, :most] != 0 for _, cell in kept], axis=1
        )
        for key in ("dtMatches", "dtIgnore")
    )
    order = np.argsort(-scores, kind="stable")
    matched, ignored = matched[:, order], ignored[:, order]
    return np.full(len(order), number), images[order], scores[order].astype(np.float32), matched & ~ignored, ignored
