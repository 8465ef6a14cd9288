"""Is one annotation sound? Its box, its segmentation, its keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tradeoffs.data.annotation_file import is_box

Finding = tuple[Literal["error", "warning"], str]

BORDER_TOLERANCE = 1.0  # pixels by which a box may reach over the border unmentioned: many tools round


def annotation_findings(annotation: dict, width: int, height: int, joints: int) -> Iterator[Finding]:
    """What is wrong with an annotation of an image of `width` x `height`, in a file with `joints` keypoint names."""
    yield from _box_findings(annotation.get("bbox"), width, height)
    yield from _segmentation_findings(annotation.get("segmentation"), width, height)
    for key in ("area", "iscrowd"):
        if not isinstance(annotation.get(key), int | float | None):
            yield "error", f"its {key} is {annotation[key]} instead of a number"
    keypoints = annotation.get("keypoints") or ()
    if not isinstance(keypoints, list | tuple):
        yield "error", f"its keypoints are {keypoints} instead of a list of numbers"
        return
    numbers = len(keypoints)
    if joints and numbers not in (0, 3 * joints):
        yield "error", f"has {numbers} keypoint numbers; {joints} keypoints need {3 * joints}"


def _box_findings(box: object, width: int, height: int) -> Iterator[Finding]:
    if not is_box(box):
        yield "error", f"the box {box} is not four numbers: left, top, width, height"
        return
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if box[2] <= 0 or box[3] <= 0:
        yield "error", f"the box {box} has no area"
    elif left >= width or top >= height or right <= 0 or bottom <= 0:
        yield "error", f"the box {box} is outside its image of {width} x {height}"
    elif max(-left, -top, right - width, bottom - height) > BORDER_TOLERANCE:
        yield "warning", f"the box {box} is cut at the border of its image of {width} x {height}"


def _segmentation_findings(segmentation: object, width: int, height: int) -> Iterator[Finding]:
    match segmentation:
        case None | []:
            return
        case {"counts": _, "size": size}:
            if size != [height, width]:
                yield "error", f"its mask is of size {size}, its image of {[height, width]}"
        case list() if all(isinstance(polygon, list) for polygon in segmentation):
            if min(map(len, segmentation)) < 6:
                yield "warning", "a polygon with fewer than three points is left out"
        case _:
            yield "error", "its segmentation is neither a list of polygons nor a run-length code"
