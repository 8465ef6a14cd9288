"""Which class was taken for which: a confusion matrix of detections.

Detections that score `threshold` or more are matched with objects whatever their classes: the one with the highest
score first, each with the free object of its image that it overlaps most, if their IoU is 0.5 or more. Rows are true
classes, then "background": detections that found no object. Columns are predicted classes, then "missed": objects that
nothing found. A detection without an object that lies, with half of its area or more, in a crowd region of its class
counts nowhere, as in COCO's protocol; crowd regions themselves are no objects.

Others differ: a detection counts here from the threshold of the best F1, in Ultralytics from a confidence of 0.25, with
an IoU of 0.45.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.metrics.matches import TINY

BACKGROUND, MISSED = "background", "missed"
SAME_OBJECT = 0.5  # intersection over union from which on
INSIDE = 0.5  # part of a detection that lies in a crowd region


@dataclass(frozen=True)
class Confusion:
    """`matrix[row][column]`; classes are ascending by id. Without a `threshold` every image has one of the classes."""

    threshold: float | None
    classes: list[str]
    matrix: list[list[int]]

    @property
    def rows(self) -> list[str]:
        """True classes."""
        return [*self.classes, *([] if self.threshold is None else [BACKGROUND])]

    @property
    def columns(self) -> list[str]:
        """Predicted classes."""
        return [*self.classes, *([] if self.threshold is None else [MISSED])]

    def save(self, path: Path) -> None:
        write_whole(path, json.dumps(vars(self)))

    @classmethod
    def load(cls, path: Path) -> Confusion:
        """Raises UserError if the file is missing or damaged."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            sides = {len(found.matrix), *map(len, found.matrix)}
            if sides != {len(found.rows)} or np.array(found.matrix).dtype.kind != "i":
                raise ValueError("its matrix does not fit its classes")
            return found
        except (OSError, ValueError, TypeError) as error:
            raise UserError(f"{path} cannot be read: {error}; score the run again with evaluate.py") from error


def confusion(
    annotations: list[dict],
    rows: Float64[ndarray, "N 7"],
    images: Int64[ndarray, " M"],
    classes: list[str],
    threshold: float,
) -> Confusion:
    """Of these images; `rows` are image, x, y, width, height, score, class, and classes are numbered from 0."""
    rows = rows[(rows[:, 5] >= threshold) & np.isin(rows[:, 0], images)]
    rows = rows[np.argsort(-rows[:, 5], kind="stable")]
    objects, crowds = (of_images(annotations, images, crowd) for crowd in (False, True))
    found, taken = matched(rows, objects)
    unmatched = np.setdiff1d(np.arange(len(rows)), found)
    none = np.setdiff1d(unmatched, excused(rows, crowds))
    missed = np.setdiff1d(np.arange(len(objects)), taken)
    matrix = np.zeros((len(classes) + 1, len(classes) + 1), np.int64)
    true, predicted = objects[:, -1].astype(np.int64), rows[:, -1].astype(np.int64)
    np.add.at(matrix, (true[taken], predicted[found]), 1)
    np.add.at(matrix, (len(classes), predicted[none]), 1)
    np.add.at(matrix, (true[missed], len(classes)), 1)
    return Confusion(threshold, classes, matrix.tolist())


def of_images(annotations: list[dict], images: Int64[ndarray, " M"], crowd: bool) -> Float64[ndarray, "K 6"]:
    """Image, x, y, width, height and class of the objects or of the crowd regions, ordered by image."""
    table = np.array(
        [[a["image_id"], *a["bbox"], a["category_id"]] for a in annotations if bool(a["iscrowd"]) is crowd], float
    ).reshape(-1, 6)
    table = table[np.isin(table[:, 0], images)]
    return table[np.argsort(table[:, 0], kind="stable")]


def matched(
    rows: Float64[ndarray, "N 7"], objects: Float64[ndarray, "K 6"]
) -> tuple[Int64[ndarray, " P"], Int64[ndarray, " P"]]:
    """Places of the detections, which are ordered by score, and of the objects that they found."""
    first, second = pairs(rows[:, 0], objects[:, 0])
    shared = intersection(rows[first], objects[second])
    iou = shared / (area(rows[first]) + area(objects[second]) - shared + TINY)
    near = iou >= SAME_OBJECT
    first, second, iou = first[near], second[near], iou[near]
    order = np.lexsort((-iou, first))
    return greedy(first[order], second[order])


def greedy(
    first: Int64[ndarray, " N"], second: Int64[ndarray, " N"]
) -> tuple[Int64[ndarray, " P"], Int64[ndarray, " P"]]:
    """Of pairs in order of preference those that are kept, one after the other, if neither of the two is taken yet.

    In each round all pairs are kept that come first for both of the two: nothing that is left can take either.
    """
    kept = []
    while len(first):
        both = np.intersect1d(*(np.unique(part, return_index=True)[1] for part in (first, second)))
        kept.append((first[both], second[both]))
        free = ~np.isin(first, first[both]) & ~np.isin(second, second[both])
        first, second = first[free], second[free]
    nothing = np.empty(0, np.int64)
    return tuple(np.concatenate([nothing, *part]) for part in zip(*kept, strict=True)) if kept else (nothing, nothing)


def excused(rows: Float64[ndarray, "N 7"], crowds: Float64[ndarray, "K 6"]) -> Int64[ndarray, " P"]:
    """Places of detections that lie in a crowd region of their class."""
    first, second = pairs(rows[:, 0], crowds[:, 0])
    inside = intersection(rows[first], crowds[second]) / (area(rows[first]) + TINY) >= INSIDE
    return np.unique(first[inside & (rows[first, -1] == crowds[second, -1])])


def pairs(
    first: Float64[ndarray, " N"], second: Float64[ndarray, " K"]
) -> tuple[Int64[ndarray, " P"], Int64[ndarray, " P"]]:
    """Places of all pairs of equal values; `second` is ascending."""
    low, high = (np.searchsorted(second, first, side=side) for side in ("left", "right"))
    counts = high - low
    begins = np.repeat(low - (np.cumsum(counts) - counts), counts)
    return np.repeat(np.arange(len(first)), counts), begins + np.arange(counts.sum())


def intersection(one: Float64[ndarray, "P _"], other: Float64[ndarray, "P _"]) -> Float64[ndarray, " P"]:
    """Of boxes in the columns 1 to 4: x, y, width, height."""
    low = np.maximum(one[:, 1:3], other[:, 1:3])
    high = np.minimum(one[:, 1:3] + one[:, 3:5], other[:, 1:3] + other[:, 3:5])
    return (high - low).clip(min=0).prod(axis=1)


def area(rows: Float64[ndarray, "P _"]) -> Float64[ndarray, " P"]:
    return rows[:, 3:5].prod(axis=1)
