"""The joints of people that were found in an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from tradeoffs.pictures import draw_skeletons
from tradeoffs.structures import Skeleton

Boxes = Float[Tensor, "P 4"]


@dataclass(frozen=True, eq=False)
class People:
    """The joints of P people in one image. Those that score `least` or less are written, but not drawn."""

    keypoints: Float[Tensor, "P J 3"]  # x, y in pixels of the image, score
    scores: Float[Tensor, " P"]
    skeleton: Skeleton
    least: float
    boxes: Boxes | None = None  # in which people were found, where nobody gave them

    def drawn(self, image: UInt8[Tensor, "3 H W"], scale: float) -> UInt8[Tensor, "3 H2 W2"]:
        return draw_skeletons(image, self.keypoints, self.skeleton, scale, self.least)

    def as_annotations(self) -> list[dict[str, Any]]:
        """In COCO's format for keypoints; the third number of a joint is its score.

        The box is the one in which a person was found, or that around the joints.
        """
        joints = self.keypoints.double()  # of which rounded numbers are short in JSON
        low, high = joints[..., :2].amin(dim=1), joints[..., :2].amax(dim=1)
        if self.boxes is not None:
            low, high = self.boxes.double().split(2, dim=1)
        boxes = torch.cat([low, high - low], dim=1).round(decimals=3).tolist()
        rows = zip(joints.round(decimals=3).flatten(1).tolist(), boxes, self.scores.tolist(), strict=True)
        return [
            {
                "category_id": self.skeleton.category_id,
                "keypoints": keypoints,
                "num_keypoints": len(self.skeleton.names),
                "bbox": box,
                "area": round(box[2] * box[3], 3),
                "iscrowd": 0,
                "score": score,
            }
            for keypoints, box, score in rows
        ]
