"""A model that knows other classes than the data: what one class is called by the one and by the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from tradeoffs.structures import Detections, Targets

UNKNOWN = -1


class LabelsByName:
    """The model's labels and the data's, for classes of the same name. The data's classes are all among the model's."""

    def __init__(self, of_model: Sequence[str], of_data: Sequence[str]):
        of_model, of_data = ([name.casefold() for name in names] for names in (of_model, of_data))
        self.to_model = torch.tensor([of_model.index(name) for name in of_data])
        self.to_data = torch.tensor([of_data.index(name) if name in of_data else UNKNOWN for name in of_model])

    def targets(self, targets: Targets) -> Targets:
        """With the model's labels."""
        return replace(targets, labels=self.to_model.to(targets.labels.device)[targets.labels])

    def detections(self, detections: Detections) -> Detections:
        """With the data's labels; what the data do not know is left out."""
        labels = self.to_data.to(detections.labels.device)[detections.labels]
        return replace(detections, labels=labels.clamp(min=0), valid=detections.valid & (labels != UNKNOWN))
