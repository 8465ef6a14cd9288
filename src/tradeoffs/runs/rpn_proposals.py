"""Regions by the first stage of a Faster R-CNN that was trained before: what Fast R-CNN needs, from a network."""

from __future__ import annotations

import hashlib
from functools import cached_property
from threading import Lock
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from tradeoffs.data.samples import collate, unlabelled
from tradeoffs.errors import UserError
from tradeoffs.inference.predictor import Predictor
from tradeoffs.models.detection.faster_rcnn import FasterRCNN
from tradeoffs.proposals.proposer import Proposed, ranked
from tradeoffs.runs.load import device_of, load
from tradeoffs.runs.weights import find_weights
from tradeoffs.settings.saved_runs import find_run
from tradeoffs.structures import originals


class RPNProposals:
    """The best `count` proposals of the network in the folder `run`, at the size of its own inputs.

    The network is loaded when it is first needed. Raises UserError where the run has no such network.
    """

    name = "rpn"

    def __init__(self, run: str, count: int = 2000, device: str = "auto"):
        self.run, self.count, self._device = find_run(run), count, device_of(device)
        self.device = self._device.type
        self._one_at_a_time = Lock()

    @property
    def identity(self) -> dict[str, Any]:
        """Its weights, wherever they lie."""
        return {"name": self.name, "weights": self._hash, "count": self.count}

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed:
        with self._one_at_a_time:  # threads of torch share the cores already
            network, resize = self._loaded.network, self._loaded.resize
            batch = collate([unlabelled(image, resize)], resize.multiple, resize.padding).to(self._device)
            size = (batch.images.shape[-2], batch.images.shape[-1])
            with torch.inference_mode():
                maps = network.maps(batch.images)
                found = network.rpn.propose(network.rpn(maps, size), network.rpn.anchors_of(maps), size, self.count)
        boxes = originals(found.boxes, batch)[found.valid].float().cpu().numpy()
        boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(axis=1)]
        return ranked(boxes)

    @cached_property
    def _loaded(self) -> Predictor:
        predictor = load(self.run, device=self._device)
        if not isinstance(predictor.network, FasterRCNN):
            raise UserError(f"proposals.run={self.run} has no region proposal network; give a run of model=faster_rcnn")
        return predictor

    @cached_property
    def _hash(self) -> str:
        with find_weights(self.run, "best").open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
