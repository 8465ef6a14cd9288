"""Training and scoring of networks that find the joints of a person whose box is given."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.data.people import TRUTH, annotated_people
from tradeoffs.data.skeleton import sigmas_of
from tradeoffs.errors import MismatchError
from tradeoffs.metrics.poses import PoseMetric, PoseScores
from tradeoffs.metrics.ratios import Ratios
from tradeoffs.pictures import draw_skeletons
from tradeoffs.structures import Batch, Poses
from tradeoffs.tasks.task import Task

SHOWN = 0.2  # the score from which on a joint is drawn


class PoseTask(Task):
    """Trains a pose network (`losses`; `forward`, `criterion`, `postprocess`), with every task's `options`.

    `person_boxes` say where the boxes come from in which people are looked at (see `data.people`), `pck_length` is what
    PCK compares errors with (see `PoseMetric`), `sigmas` are those of OKS for each joint, or `auto` (see `sigmas_of`).
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
        truth, image_ids = annotated_people(data.val), data.val.image_ids
        people = truth, data.people["val"], image_ids
        return PoseMetric(data.val.ground_truth(), data.skeleton, *people, sigmas, self.pck_length)

    def show(self, metric: PoseMetric, batch: Batch, predictions: Poses) -> None:
        metric.update(batch.addresses[:, 2], predictions.originals(batch))

    def draw(self, kept: Sequence[tuple[Batch, Poses]], side: int) -> tuple[list[UInt8[Tensor, "3 _h _w"]], str]:
        """What the network sees of each person, twice."""
        skeleton, drawn = self.trainer.datamodule.skeleton, []
        for batch, found in kept:
            scale = side / 2 / max(batch.images.shape[-2:])
            for row, image in enumerate(batch.images):
                both = (found.keypoints[row, None].float(), SHOWN), (batch.targets.keypoints[row], 0.0)
                pair = [draw_skeletons(image, joints, skeleton, scale, least) for joints, least in both]
                drawn.append(torch.cat(pair, dim=-1))
        return drawn, "left: joints found; right: truth; orange: the person's left, blue: right"

    def report(self, folder: Path, evidence: Ratios | None, only_seen: bool) -> dict[str, Any]:
        """Where the boxes came from; of a detector's file a hash, too."""
        if self.person_boxes == TRUTH:
            return {"person_boxes": {"source": TRUTH}}
        digest = hashlib.sha256(Path(self.person_boxes).read_bytes()).hexdigest()[:16]
        return {"person_boxes": {"source": str(self.person_boxes), "hash": digest}}
