"""What a training and a validation split owe to each other."""

from __future__ import annotations

import logging

from tradeoffs.data.coco import CocoDataset
from tradeoffs.errors import UserError

log = logging.getLogger(__name__)


def require_agreement(train: CocoDataset, val: CocoDataset, joints: bool = False) -> None:
    """Raises UserError unless both have the same classes, and, where they are asked for, the same joints."""
    files = f"{train.annotations_path} and {val.annotations_path}"
    own, other = ((each.category_ids, each.class_names, each.unmarked) for each in (train, val))
    if own != other:
        raise UserError(f"{files} have different categories; both splits need the same ids and names")
    if joints and train.keypoint_names != val.keypoint_names:
        counts = f"{len(train.keypoint_names)} and {len(val.keypoint_names)}"
        raise UserError(f"{files} have different joints ({counts}); both splits need the same names in one order")


def warn_of_equal_photos(train: CocoDataset, val: CocoDataset) -> None:
    if both := train.image_paths() & val.image_paths():
        log.warning(
            f"warning: {len(both)} of {len(val)} validation photos are also trained on, the first is {min(both)}: "
            "scores are too good"
        )
