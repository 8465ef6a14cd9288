"""Scenes as COCO writes them down."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Bool
from pycocotools import mask as coco_mask

from tradeoffs.data.shapes.figure import BONES, KEYPOINT_NAMES
from tradeoffs.data.shapes.scene import CLASS_NAMES, Scene
from tradeoffs.data.shapes.silhouettes import Points


def categories() -> list[dict[str, Any]]:
    records = [{"id": label + 1, "name": name, "supercategory": "shape"} for label, name in enumerate(CLASS_NAMES)]
    skeleton = [[KEYPOINT_NAMES.index(start) + 1, KEYPOINT_NAMES.index(end) + 1] for start, end in BONES]
    records[CLASS_NAMES.index("figure")] |= {"keypoints": list(KEYPOINT_NAMES), "skeleton": skeleton}
    return records


def annotate(scene: Scene) -> list[dict[str, Any]]:
    """One annotation per instance, still without its own id and the image's. Masks hold visible pixels only."""
    annotations = []
    for position, instance in enumerate(scene.instances):
        visible = scene.visible(position)
        rle = coco_mask.encode(np.asfortranarray(visible, np.uint8))
        annotation = {
            "category_id": instance.label + 1,
            "segmentation": {"size": rle["size"], "counts": rle["counts"].decode("ascii")},
            "bbox": coco_mask.toBbox(rle).tolist(),
            "area": int(coco_mask.area(rle)),
            "iscrowd": int(instance.crowd),
        }
        if instance.joints is not None:
            annotation |= keypoints(instance.joints, visible)
        annotations.append(annotation)
    return annotations


def keypoints(joints: Points, visible: Bool[np.ndarray, "H W"]) -> dict[str, Any]:
    """Visibility is 2 where the joint is seen, 1 where something is in front of it, 0 beyond the border.

    Coordinates are continuous like those of boxes: the first pixel spans 0..1.
    """
    height, width = visible.shape
    triples = []
    for x, y in joints.round(1).tolist():
        inside = 0 <= x < width and 0 <= y < height
        triples += [x, y, 2 if visible[int(y), int(x)] else 1] if inside else [0, 0, 0]
    return {"keypoints": triples, "num_keypoints": sum(flag > 0 for flag in triples[2::3])}
