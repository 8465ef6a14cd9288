"""What was found in images that have no annotations, as a file in COCO's format and on the screen."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from tradeoffs.apps.prediction_folder import CONTENT, PICTURES


class Found(NamedTuple):
    """What is in one image, best first."""

    name: Path
    size: tuple[int, int]  # height, width
    boxes: Float[Tensor, "n 4"]  # xyxy in pixels of the image
    scores: Float[Tensor, " n"]
    labels: Int64[Tensor, " n"]


def coco_content(found: list[Found], class_names: list[str], category_ids: list[int]) -> dict[str, Any]:
    """Images, categories and annotations, each of these with a `score`. Images are numbered from 1.

    COCO's tools read it as ground truth (to correct labels by hand, say), and its annotations as results.
    """
    ids = count(1)
    return {
        "images": [
            {"id": image_id, "file_name": each.name.as_posix(), "height": each.size[0], "width": each.size[1]}
            for image_id, each in enumerate(found, 1)
        ],
        "categories": [{"id": id_, "name": name} for id_, name in zip(category_ids, class_names, strict=True)],
        "annotations": [
            {"id": next(ids), "image_id": image_id, **annotation}
            for image_id, each in enumerate(found, 1)
            for annotation in annotations(each, category_ids)
        ],
    }


def annotations(found: Found, category_ids: list[int]) -> list[dict[str, Any]]:
    top_left, bottom_right = found.boxes.double().split(2, dim=1)
    boxes = torch.cat([top_left, bottom_right - top_left], dim=1).round(decimals=3).tolist()
    return [
        {
            "category_id": category_ids[label],
            "bbox": box,
            "area": round(box[2] * box[3], 3),
            "iscrowd": 0,
            "score": score,
        }
        for box, label, score in zip(boxes, found.labels.tolist(), found.scores.tolist(), strict=True)
    ]


def show(output: Path, found: list[Found], class_names: list[str], min_score: float, faults: list[str]) -> None:
    """Prints what was found, where it is, and which files could not be read."""
    counts = Counter(class_names[label] for each in found for label in each.labels.tolist())
    classes = ": " + ", ".join(f"{name} {count}" for name, count in counts.most_common()) if counts else ""
    total = len(found) + len(faults)
    print(f"images                   {len(found)}" + (f" of {total}" if faults else ""))
    print(f"objects                  {counts.total()} with a score of {min_score} or more{classes}")
    print(f"pictures with boxes      {output / PICTURES}")
    print(f"all predictions          {output / CONTENT}", flush=True)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    if faults:
        print(f"{len(faults)} of {total} files could not be read and were left out", file=sys.stderr)
