"""How well joints are found: PCK, PCKh and COCO's OKS, in pixels of the original images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from tradeoffs.data.people import People
from tradeoffs.errors import UserError
from tradeoffs.metrics.gather import broadcast_from_first, gather_images
from tradeoffs.metrics.oks import keypoints_only, oks_scores
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.ops.keypoints import torso
from tradeoffs.structures import Skeleton

ALPHA = 0.2  # of the torso, or the box, by which a joint may be missed (Yang and Ramanan 2013)
HEAD_ALPHA = 0.5  # of the head (Andriluka et al. 2014)
LENGTHS = ("auto", "torso", "box")


@dataclass
class PoseScores:
    """Fractions from 0 to 1; nan where there is nothing to score."""

    summary: dict[str, float]
    per_class: list[dict]  # id, name, PCK (None without instances), instances of each joint
    num_images: int
    num_people: int  # that PCK counts
    pck_length: str  # torso or box
    sigmas: list[float]  # of OKS

    def to_dict(self) -> dict[str, Any]:
        return vars(self)


class Found(NamedTuple):
    """M poses, each of a person of some image."""

    images: Int64[ndarray, " M"]  # places in the data set
    whose: Int64[ndarray, " M"]  # which of the annotated people it is, -1 for none
    scores: Float64[ndarray, " M"]  # of the whole person
    keypoints: Float64[ndarray, "M J 3"]
    asked: Bool[ndarray, " P"]  # which of the annotated people could have been found so far
    seen: Int64[ndarray, " N"]  # places of the images that were looked at


class PoseMetric:
    """Compares joints with the truth; right under torch.distributed, where a person counts once.

    Args:
        ground_truth: A COCO dict.
        skeleton: Of the class whose poses are found.
        truth: The annotated people.
        samples: Those that poses are asked of: the same, or what a detector found.
        image_ids: COCO's, by place.
        sigmas: Of OKS, by joint.
        length: `torso` (see `ops.keypoints.torso`), `box` (its longer side), or `auto`: torso where there is one.

    An annotated person that no sample is of has all joints wrong. One whose torso is not labelled has no length to
    compare errors with, and PCK leaves it out. Raises UserError where it would leave out all.
    """

    def __init__(
        self,
        ground_truth: Mapping,
        skeleton: Skeleton,
        truth: People,
        samples: People,
        image_ids: Sequence[int],
        sigmas: Sequence[float],
        length: str = "auto",
    ):
        self.ground_truth = keypoints_only(ground_truth, skeleton.category_id)
        self.skeleton, self.truth, self.samples = skeleton, truth, samples
        self.image_ids = np.array(image_ids, np.int64)
        self.sigmas = list(sigmas)
        self.length = ("torso" if torso(skeleton.names) else "box") if length == "auto" else length
        self.lengths = lengths_of(truth, skeleton.names, self.length)
        if np.isnan(self.lengths).all():
            raise UserError(f"task.pck_length={self.length}: no person has a labelled torso; take task.pck_length=box")
        self.reset()

    def reset(self) -> None:
        self._samples: list[ndarray] = []
        self._rows: list[ndarray] = []
        self._matched: tuple[Found | None] | None = None

    def update(self, samples: Int64[Tensor, " B"], keypoints: Float[Tensor, "B J 3"]) -> None:
        """Add a batch: which samples these are, and x, y, score of their joints. Raises UserError for no numbers."""
        rows, self._matched = finite(keypoints), None
        self._samples.append(samples.cpu().numpy())
        self._rows.append(rows.reshape(len(rows), -1))

    def compute(self, only_seen: bool = False) -> PoseScores:
        """The same scores on every rank. Every rank must call it."""
        found = self._found()
        return broadcast_from_first(None if found is None else self._score(found, only_seen))

    def predictions(self) -> list[dict]:
        """In COCO's results format, on rank 0, empty on the others. Every rank must call it.

        The third number of a joint is its score; that of a person is their mean times the score of its given box, or
        the score of the box that the model found.
        """
        if (found := self._found()) is None:
            return []
        keypoints = (each.ravel().tolist() for each in found.keypoints.round(3))
        columns = zip(self.image_ids[found.images].tolist(), keypoints, found.scores.tolist(), strict=True)
        kind = self.skeleton.category_id
        return [
            {"image_id": image_id, "category_id": kind, "keypoints": joints, "score": score}
            for image_id, joints, score in columns
        ]

    def evidence(self, only_seen: bool = False) -> Ratios | None:
        """Right joints of each image, on rank 0; None on the others. Every rank must call it."""
        found = self._found()
        return None if found is None else self._ratios(*self._errors(found, only_seen))

    def _found(self) -> Found | None:
        """As `_gathered`, once for all that is asked of it between two batches."""
        self._matched = self._matched or (self._gathered(),)
        return self._matched[0]

    def _gathered(self) -> Found | None:
        """What all processes have found, on rank 0; None on the others."""
        joints = len(self.skeleton.names)
        samples = np.concatenate([np.empty(0, np.int64), *self._samples])
        gathered = gather_images(samples, np.concatenate([np.empty((0, 3 * joints)), *self._rows]))
        if gathered is None:
            return None
        samples, keypoints = gathered[0], gathered[1].reshape(-1, joints, 3)
        images, whose = self.samples.images[samples], self.samples.truth[samples]
        everybody = np.arange(len(self.truth.images))
        later = np.isin(everybody, self.samples.truth) & ~np.isin(everybody, whose)
        asked = np.isin(self.truth.images, images) & ~later
        scores = keypoints[..., 2].mean(axis=1) * self.samples.scores[samples]
        return Found(images, whose, scores, keypoints, asked, np.unique(images))

    def _errors(self, found: Found, only_seen: bool) -> tuple[Float64[ndarray, "P J"], Bool[ndarray, "P J"]]:
        """Of each annotated person's joints: by how much they were missed, and whether they count."""
        errors = np.full(self.truth.keypoints.shape[:2], np.inf)
        known = found.whose >= 0
        whose = found.whose[known]
        offsets = found.keypoints[known, :, :2] - self.truth.keypoints[whose, :, :2]
        errors[whose] = np.hypot(offsets[..., 0], offsets[..., 1])
        counts = self.truth.keypoints[..., 2] > 0
        return errors, counts & found.asked[:, None] if only_seen else counts

    def _ratios(self, errors: Float64[ndarray, "P J"], counts: Bool[ndarray, "P J"]) -> Ratios:
        scales = {"pck": ALPHA * self.lengths, "pckh": HEAD_ALPHA * self.truth.head_sizes}
        scales = {name: scale for name, scale in scales.items() if not np.isnan(scale).all()}
        counted = [counts & ~np.isnan(scale)[:, None] for scale in scales.values()]
        right = [each & (errors <= scale[:, None]) for each, scale in zip(counted, scales.values(), strict=True)]
        above, below = (np.stack([self._by_image(each) for each in every]) for every in (right, counted))
        places = np.flatnonzero(below.any(axis=0))
        places = places[np.argsort(self.image_ids[places])]
        above, below = above[:, places], below[:, places]
        return Ratios(self.image_ids[places], list(scales), above, below, below[0] - above[0], "joints wrong")

    def _by_image(self, joints: Bool[ndarray, "P J"]) -> Float64[ndarray, " M"]:
        """How many of them each image has, by place."""
        return np.bincount(self.truth.images, joints.sum(axis=1), len(self.image_ids))

    def _score(self, found: Found, only_seen: bool) -> PoseScores:
        errors, counts = self._errors(found, only_seen)
        ratios = self._ratios(errors, counts)
        counted = counts & ~np.isnan(self.lengths)[:, None]
        if not counted.any():
            raise UserError("there is no joint to score; check the validation split")
        right = (counted & (errors <= ALPHA * self.lengths[:, None])).sum(axis=0)
        total = counted.sum(axis=0)
        images = found.seen if only_seen else np.arange(len(self.image_ids))
        oks = oks_scores(self.ground_truth, results_of(found), images, self.sigmas)
        values, names = ratios.score(), zip(self.skeleton.names, right.tolist(), total.tolist(), strict=True)
        return PoseScores(
            {"pck": values.pop("pck"), **oks, "pckh": values.pop("pckh", float("nan"))},
            [
                {"id": number, "name": name, "PCK": hits / of if of else None, "instances": of}
                for number, (name, hits, of) in enumerate(names, 1)
            ],
            len(ratios.image_ids),
            int(counted.any(axis=1).sum()),
            self.length,
            self.sigmas,
        )


def results_of(found: Found) -> list[dict]:
    """As `predictions`, with the metric's own numbers for ids, unrounded."""
    columns = zip(found.images.tolist(), found.keypoints, found.scores.tolist(), strict=True)
    return [
        {"image_id": place, "category_id": 1, "keypoints": joints.ravel().tolist(), "score": score}
        for place, joints, score in columns
    ]


def finite(values: Tensor) -> Float64[ndarray, "*N"]:
    """Raises UserError where something is no number."""
    numbers = values.detach().double().cpu().numpy()
    if not np.isfinite(numbers).all():
        raise UserError("a joint is not finite; check the checkpoint or lower optimizer.lr")
    return numbers


def lengths_of(people: People, names: Sequence[str], kind: str) -> Float64[ndarray, " P"]:
    """In pixels, nan where unknown. Raises UserError where no joints are called as those of the torso."""
    if kind == "box":
        return (people.boxes[:, 2:] - people.boxes[:, :2]).max(axis=1).astype(float)
    if (ends := torso(names)) is None:
        raise UserError("task.pck_length=torso needs joints called left_hip and right_shoulder; take box")
    hip, shoulder = (people.keypoints[:, end].astype(float) for end in ends)
    length = np.hypot(*(hip - shoulder)[:, :2].T)
    return np.where((hip[:, 2] > 0) & (shoulder[:, 2] > 0) & (length > 0), length, np.nan)
