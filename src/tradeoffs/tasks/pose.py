"""Training and scoring of networks that find the joints of people, in boxes that are given or that they find."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.data.people import annotated_people
from tradeoffs.data.skeleton import sigmas_of
from tradeoffs.errors import MismatchError
from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.metrics.detected_poses import DetectedPoseMetric
from tradeoffs.metrics.poses import PoseMetric, PoseScores
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.pictures import draw_skeletons
from tradeoffs.pictures.skeletons import LEAST_PEAK, LEAST_PROBABILITY
from tradeoffs.structures import Batch, DetectedPoses, Poses, Skeleton, original_joints
from tradeoffs.task_facts import TRUTH
from tradeoffs.tasks.task import Task
from tradeoffs.training.pictures import photo_of

OWN = "model"  # boxes that the model finds itself


class PoseTask(Task):
    """Trains a pose network (`losses`; `forward`, `criterion`, `postprocess`), with every task's `options`.

    `person_boxes` say where the boxes come from in which people are looked at (see `data.people`), unless the model
    finds people itself and gives `DetectedPoses`. `pck_length` is what PCK compares errors with (see `PoseMetric`),
    `sigmas` are those of OKS for each joint, or `auto` (see `sigmas_of`).
    """

    metric: PoseMetric | None
    scores: PoseScores | None

    def __init__(
        self,
        model: nn.Module,
        headline: str = "pck",
        person_boxes: str = TRUTH,
        pck_length: str = "auto",
        sigmas: str | Sequence[float] = "auto",
        **options: Any,
    ):
        super().__init__(model, headline, **options)
        self.person_boxes, self.pck_length, self.sigmas = person_boxes, pck_length, sigmas

    def build_metric(self, data: Any) -> PoseMetric:
        names = data.class_names
        sigmas = sigmas_of(names) if self.sigmas == "auto" else list(self.sigmas)
        if len(sigmas) != len(names):
            raise MismatchError(f"task.sigmas has {len(sigmas)} numbers, but data={data.name} {len(names)} joints")
        about = data.val.ground_truth(), data.skeleton, annotated_people(data.val)
        rest = data.val.image_ids, sigmas, self.pck_length
        if data.has_people:
            return PoseMetric(*about, data.people["val"], *rest)
        return DetectedPoseMetric(*about, *rest)

    def show(self, metric: PoseMetric, batch: Batch, predictions: Poses | DetectedPoses) -> None:
        if isinstance(predictions, DetectedPoses):
            metric.update(batch, predictions)
        else:
            metric.update(batch.addresses[:, 2], predictions.originals(batch))

    def draw(
        self, kept: Sequence[tuple[Batch, Poses | DetectedPoses]], side: int
    ) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        """What the network sees of each person, or each photo, twice."""
        detects = any(isinstance(found, DetectedPoses) for _, found in kept)
        of_batch, skeleton = draw_photos if detects else draw_people, self.trainer.datamodule.skeleton
        drawn = [picture for batch, found in kept for picture in of_batch(batch, found, skeleton, side)]
        shown = f"people with a score of {USUAL_SCORE:.2g} or more" if detects else "joints found"
        return drawn, f"left: {shown}; right: truth; orange: the person's left, blue: right"

    def report(self, folder: Path, evidence: Ratios | None, only_seen: bool) -> dict[str, Any]:
        """Where the boxes came from: the truth, the model, or a detector's file, of which a hash is kept, too."""
        if isinstance(self.metric, DetectedPoseMetric):
            return {"person_boxes": {"source": OWN}}
        if self.person_boxes == TRUTH:
            return {"person_boxes": {"source": TRUTH}}
        digest = hashlib.sha256(Path(self.person_boxes).read_bytes()).hexdigest()[:16]
        return {"person_boxes": {"source": str(self.person_boxes), "hash": digest}}


def draw_people(batch: Batch, found: Poses, skeleton: Skeleton, side: int) -> Iterator[UInt8[Tensor, "3 _h _w"]]:
    """Each person as the network sees it."""
    scale = side / 2 / max(batch.images.shape[-2:])
    for row, image in enumerate(batch.images):
        both = (found.keypoints[row, None].float(), LEAST_PEAK), (batch.targets.keypoints[row], 0.0)
        yield torch.cat([draw_skeletons(image, joints, skeleton, scale, least) for joints, least in both], dim=-1)


def draw_photos(
    batch: Batch, found: DetectedPoses, skeleton: Skeleton, side: int
) -> Iterator[UInt8[Tensor, "3 _h _w"]]:
    """Each photo in its own shape, with the people who are sure enough."""
    joints, true = found.joints_in(batch).float(), original_joints(batch.targets.keypoints, batch)
    sure = found.valid & (found.scores >= USUAL_SCORE)
    for row in range(len(batch)):
        photo, scale = photo_of(batch, row, side // 2)
        both = (joints[row][sure[row]], LEAST_PROBABILITY), (true[row][batch.targets.valid[row]], 0.0)
        moved = [(points * points.new_tensor([scale, scale, 1]), least) for points, least in both]
        yield torch.cat([draw_skeletons(photo, points, skeleton, 1.0, least) for points, least in moved], dim=-1)
