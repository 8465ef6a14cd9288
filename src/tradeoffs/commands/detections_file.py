"""What was found in images that have no annotations, as a file in COCO's format and on the screen."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import torch
from pycocotools import mask as rle

from tradeoffs.commands.prediction_folder import CONTENT, LABEL_MAPS, PICTURES
from tradeoffs.inference.prediction import Prediction
from tradeoffs.models.detection.published import NO_CLASS
from tradeoffs.runs.score_threshold import Threshold
from tradeoffs.structures import Skeleton

FEW = 5  # images whose captions are printed


def coco_content(
    found: list[Prediction],
    class_names: list[str],
    category_ids: list[int],
    pictures: Mapping[Path, Path],
    skeleton: Skeleton | None = None,
) -> dict[str, Any]:
    """Images, categories and annotations, each of these with a `score`. Images are numbered from 1.

    An image has the name of its picture as well; a frame of a video its time in seconds. The class of a network that
    finds joints has its `skeleton`.

    COCO's tools read it as ground truth (to correct labels by hand, say), and its annotations as results.
    """
    ids = count(1)
    classes = [each for each in zip(category_ids, class_names, strict=True) if each[1] != NO_CLASS]
    joints = {} if skeleton is None else joints_of(skeleton)
    return {
        "images": [
            {
                "id": image_id,
                "file_name": each.name.as_posix(),
                "height": each.size[0],
                "width": each.size[1],
                "picture": pictures[each.name].as_posix(),
                **({} if each.seconds is None else {"seconds": round(each.seconds, 3)}),
            }
            for image_id, each in enumerate(found, 1)
        ],
        "categories": [{"id": id_, "name": name, **joints} for id_, name in classes],
        "annotations": [
            {"id": next(ids), "image_id": image_id, **annotation}
            for image_id, each in enumerate(found, 1)
            for annotation in annotations(each, category_ids)
        ],
    }


def joints_of(skeleton: Skeleton) -> dict[str, list]:
    """As a category has them; edges count from 1."""
    return {"keypoints": skeleton.names, "skeleton": [[start + 1, end + 1] for start, end in skeleton.edges]}


def annotations(found: Prediction, category_ids: list[int]) -> list[dict[str, Any]]:
    if found.regions is not None:
        return found.regions.as_annotations(category_ids)
    if found.people is not None:
        return found.people.as_annotations()
    if found.caption is not None:
        return [{"caption": found.caption, "score": 1.0}]
    top_left, bottom_right = found.boxes.double().split(2, dim=1)
    boxes = torch.cat([top_left, bottom_right - top_left], dim=1).round(decimals=3).tolist()
    shapes = [{"area": round(box[2] * box[3], 3)} for box in boxes]
    if found.segments is not None:
        shapes = [{"area": int(rle.area(code)), "segmentation": dict(code)} for code in found.segments]
    return [
        {"category_id": category_ids[label], "bbox": box, **shape, "iscrowd": 0, "score": score}
        for box, label, score, shape in zip(boxes, found.labels.tolist(), found.scores.tolist(), shapes, strict=True)
    ]


def show(output: Path, found: list[Prediction], threshold: Threshold, faults: list[str], videos: list[Path]) -> None:
    """Prints what was found, where it is, and which files could not be read or were not looked at."""
    total = len(found) + len(faults)
    print(f"images                   {len(found)}" + (f" of {total}" if faults else ""))
    print(f"objects                  {objects(found, threshold)}")
    print(f"pictures                 {output / PICTURES}")
    if found and found[0].regions is not None:
        print(f"classes of pixels        {output / LABEL_MAPS}")
    print(f"all predictions          {output / CONTENT}", flush=True)
    for fault in faults:
        print(f"left out: {fault}", file=sys.stderr)
    if faults:
        print(f"{len(faults)} of {total} files could not be read and were left out", file=sys.stderr)
    if videos:
        count = "1 video was" if len(videos) == 1 else f"{len(videos)} videos were"
        print(f"{count} left out; give one at a time: source={videos[0]}", file=sys.stderr)


def show_frames(
    picture: Path, found: list[Prediction], threshold: Threshold, seconds: float, faults: list[str]
) -> None:
    """The same for a video, with the speed of everything together: reading, network, drawing and writing."""
    print(f"frames                   {len(found)}, {len(found) / seconds:.1f} a second")
    print(f"objects                  {objects(found, threshold)}")
    print(f"video                    {picture}")
    print(f"all predictions          {picture.parents[1] / CONTENT}", flush=True)
    for fault in faults:
        print(fault, file=sys.stderr)


def objects(found: list[Prediction], threshold: Threshold) -> str:
    if found and (found[0].caption is not None or found[0].regions is not None):
        return "; ".join(map(str, found[:FEW])) + ("; ..." if len(found) > FEW else "")
    counts = Counter(name for each in found for name in each.names)
    if found and found[0].people is not None and found[0].people.boxes is None:
        return f"{found[0].people.skeleton.category_name} {counts.total()}; joints are drawn with {threshold}"
    classes = ": " + ", ".join(f"{name} {count}" for name, count in counts.most_common()) if counts else ""
    return f"{counts.total()} with {threshold}{classes}"
