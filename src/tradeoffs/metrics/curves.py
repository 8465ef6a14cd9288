"""Precision against recall, and F1 against the score from which detections count; both from saved matches.

F1 is 2 TP / (detections + objects) at an IoU of 0.5: the harmonic mean of precision and recall.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from tradeoffs.metrics.matches import LOOSE, RECALLS, STRICT, Matches

USUAL_SCORE = 0.3  # from which detections are shown where no better threshold is known
THRESHOLDS = np.linspace(0, 1, 201)  # at which F1 is drawn
MOST_CLASSES = 10  # that are drawn, each with its own line
LONGEST_NAME = 24
EXTREMES = 3  # that are drawn of more classes, the best and as many of the worst


class BestF1(NamedTuple):
    """At the threshold of the highest F1: of all detections that score as much or more. Fractions from 0 to 1."""

    threshold: float
    f1: float
    precision: float
    recall: float


class ScoreCurve(NamedTuple):
    """For each distinct score, falling: of all detections with this score or a higher one."""

    scores: Float[ndarray, " N"]
    precision: Float64[ndarray, " N"]
    recall: Float64[ndarray, " N"]  # nan without objects
    f1: Float64[ndarray, " N"]

    def f1_at(self, thresholds: Float64[ndarray, " K"]) -> Float64[ndarray, " K"]:
        """0 where no detection scores that much."""
        lowest = np.searchsorted(-self.scores, -thresholds, side="right") - 1
        return np.append(self.f1, 0.0)[lowest]  # -1, the last, stands for none


class Line(NamedTuple):
    """Something to draw between 0 and 1; its name ends in its number."""

    name: str
    x: Float64[ndarray, " N"]
    y: Float64[ndarray, " N"]
    overall: bool = False  # of all classes
    dashed: bool = False


def score_curve(matches: Matches, number: int | None = None) -> ScoreCurve:
    """Of the class at that place, or of all classes together, each detection and each object counting once (micro)."""
    counted = ~matches.ignored[LOOSE] & (True if number is None else matches.classes == number)
    total = int((matches.objects if number is None else matches.objects[number]).sum())
    scores, true = matches.scores[counted], matches.true[LOOSE][counted]
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    last = np.flatnonzero(np.diff(scores, append=-np.inf))  # of each group of equal scores: a threshold takes all
    found, shown = np.cumsum(true[order])[last], last + 1
    recall = found / total if total else np.full(len(last), np.nan)
    return ScoreCurve(scores[last], found / shown, recall, 2 * found / (shown + total))


def best_f1(matches: Matches, number: int | None = None) -> BestF1 | None:
    """The highest threshold of those with the highest F1; None where no detection found an object."""
    curve = score_curve(matches, number)
    if not curve.f1.any():
        return None
    place = int(np.argmax(curve.f1))
    return BestF1(*(float(values[place]) for values in (curve.scores, curve.f1, curve.precision, curve.recall)))


def precision_lines(matches: Matches, names: Sequence[str]) -> list[Line]:
    """COCO's curves: the mean over classes, whose mean in turn is AP50 and AP75, and those of classes at IoU 0.5.

    `names` are of the classes, in their order.
    """
    known = np.flatnonzero(matches.objects.sum(axis=1))
    curves = matches.precision_at_recalls()[:, known]
    if not len(known):
        return []
    lines = [
        Line(f"all, IoU {iou}: AP {curves[place].mean():.2f}", RECALLS, curves[place].mean(axis=0), True, dashed)
        for iou, place, dashed in (("0.5", LOOSE, False), ("0.75", STRICT, True))
    ]
    scores = curves[LOOSE].mean(axis=1)
    return lines + [
        Line(f"{shortened(names[known[place]])}: {scores[place]:.2f}", RECALLS, curves[LOOSE, place])
        for place in worth_drawing(scores)
    ]


def f1_lines(matches: Matches, names: Sequence[str]) -> list[Line]:
    """F1 against the threshold: of all classes together, and of each, with the best threshold in the name."""
    known = np.flatnonzero(matches.objects.sum(axis=1))
    best = [best_f1(matches, number) for number in known.tolist()]
    drawn = worth_drawing(np.array([each.f1 if each else 0.0 for each in best]))
    wanted = [(None, "all", best_f1(matches)), *((int(known[i]), names[known[i]], best[i]) for i in drawn)]
    return [
        Line(
            f"{shortened(name)}: " + (f"F1 {each.f1:.2f} at {each.threshold:.2f}" if each else "F1 0"),
            THRESHOLDS,
            score_curve(matches, number).f1_at(THRESHOLDS),
            overall=number is None,
        )
        for number, name, each in wanted
    ]


def worth_drawing(scores: Float64[ndarray, " C"]) -> Int64[ndarray, " K"]:
    """Places of the classes to draw, the best first: all where there are few, else the best and the worst."""
    order = np.argsort(-scores, kind="stable")
    return order if len(order) <= MOST_CLASSES else np.r_[order[:EXTREMES], order[-EXTREMES:]]


def which_classes(matches: Matches) -> str:
    """What `worth_drawing` chooses, in words."""
    count = int(matches.objects.any(axis=1).sum())
    return "each class" if count <= MOST_CLASSES else f"the {EXTREMES} best and the {EXTREMES} worst of {count} classes"


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
