"""The joints that a class of an annotation file has."""

from __future__ import annotations

from collections.abc import Sequence

from tradeoffs.data.annotation_file import keypoint_names
from tradeoffs.structures import Skeleton

# By COCO's evaluation: how far annotators differ, a half of the constant k, in the square root of an object's area.
COCO_SIGMAS = {
    "nose": 0.026,
    **{f"{side}_eye": 0.025 for side in ("left", "right")},
    **{f"{side}_ear": 0.035 for side in ("left", "right")},
    **{f"{side}_shoulder": 0.079 for side in ("left", "right")},
    **{f"{side}_elbow": 0.072 for side in ("left", "right")},
    **{f"{side}_wrist": 0.062 for side in ("left", "right")},
    **{f"{side}_hip": 0.107 for side in ("left", "right")},
    **{f"{side}_knee": 0.087 for side in ("left", "right")},
    **{f"{side}_ankle": 0.089 for side in ("left", "right")},
}
# Which of these joints COCO's annotation files connect, by their places.
COCO_EDGES = [
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
]
MEAN_SIGMA = 0.067  # of COCO's 17 joints


def sigmas_of(names: Sequence[str]) -> list[float]:
    """COCO's for COCO's joints. Of others nobody knows how far annotators differ: all have COCO's mean."""
    return [COCO_SIGMAS[name] for name in names] if set(names) == set(COCO_SIGMAS) else [MEAN_SIGMA] * len(names)


def skeleton_of(category: dict) -> Skeleton | None:
    """None for a class without keypoints. Edges that lead to no keypoint, which only pictures would have, are none."""
    names, edges = keypoint_names(category), category.get("skeleton")
    pairs = [pair for pair in edges if is_edge(pair, len(names))] if isinstance(edges, list) else []
    pairs = [(start - 1, end - 1) for start, end in pairs]
    return Skeleton(names, pairs, category["id"], category["name"]) if names else None


def is_edge(value: object, joints: int) -> bool:
    """Two keypoints, counted from 1."""
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(place) is int and 1 <= place <= joints for place in value)
    )
