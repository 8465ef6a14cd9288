"""Three people in two images whose joints are given by hand, for the tests of scores of poses."""

import numpy as np
import torch

from tradeoffs.data.people import People
from tradeoffs.structures import Skeleton

NAMES = ["left_hip", "right_shoulder", "left_foot", "head"]
SKELETON = Skeleton(NAMES, [(0, 1)], 5, "person")
IMAGE_IDS = [30, 20]
# Torsos of 50 pixels, of which 0.2 are 10; the second foot is not labelled. Both are in image 30, a third in 20.
FIRST = [[30, 40, 2], [0, 0, 2], [60, 90, 2], [0, -20, 1]]
SECOND = [[130, 40, 2], [100, 0, 2], [0, 0, 0], [100, -20, 1]]
THIRD = [[0, 0, 0], [10, 10, 2], [20, 20, 2], [0, 0, 0]]  # whose torso is not known
BOXES = [[0, 0, 60, 90], [100, 0, 130, 40], [10, 10, 30, 20]]


def people(*joints: list, images=(0, 0, 1), truth=(0, 1, 2), heads=np.nan, scores=1.0) -> People:
    count = len(joints)
    return People(
        np.array(images[:count]),
        np.array(BOXES[:count], np.float32),
        np.full(count, scores),
        np.array(joints, np.float32),
        np.full(count, heads, float),
        np.array(truth[:count]),
    )


def truth_dict(truth: People, ids=IMAGE_IDS, names=NAMES) -> dict:
    annotations = [
        {"id": n + 1, "image_id": ids[image], "category_id": 5, "iscrowd": 0, "area": 2500.0, "bbox": [0, 0, 50, 50]}
        | {"keypoints": joints.ravel().tolist(), "num_keypoints": int((joints[:, 2] > 0).sum())}
        for n, (image, joints) in enumerate(zip(truth.images.tolist(), truth.keypoints, strict=True))
    ]
    categories = [{"id": 5, "name": "person", "keypoints": names}, {"id": 6, "name": "dog"}]
    return {"images": [{"id": each} for each in ids], "annotations": annotations, "categories": categories}


def found(*joints: list, score: float = 0.8) -> torch.Tensor:
    keypoints = torch.tensor(joints, dtype=torch.float32)
    keypoints[..., 2] = score
    return keypoints


def shifted(joints: list, *by: int) -> list:
    return [[x + dx, y, v] for (x, y, v), dx in zip(joints, by, strict=True)]
