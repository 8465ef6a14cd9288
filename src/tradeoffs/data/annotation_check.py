"""Is one annotation sound? Its box, its area, its segmentation, its keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from tradeoffs.data.annotation_file import are_keypoints, are_numbers, area_fault, is_box, is_flag, short

BORDER_TOLERANCE = 1.0  # pixels by which a box may reach over the border unmentioned: many tools round

Severity = Literal["error", "warning"]


class Finding(NamedTuple):
    """Of one kind of warnings the first is shown, with the number of the others."""

    severity: Severity
    what: str
    kind: str


def annotation_findings(
    annotation: dict, width: int, height: int, joints: int, with_masks: bool = False, with_keypoints: bool = False
) -> Iterator[Finding]:
    """What is wrong with an annotation of an image of `width` x `height`, in a file with `joints` keypoint names.

    Masks and keypoints that nobody asked for are only warned of: boxes can be used all the same.
    """
    yield from _box_findings(annotation.get("bbox"), width, height)
    if fault := area_fault(annotation.get("area"), width * height):
        yield Finding("warning", f"its area is {fault}; that of its box is taken", "area")
    if not is_flag(crowd := annotation.get("iscrowd")):
        yield Finding("error", f"its iscrowd is {short(crowd)} instead of 0 or 1", "iscrowd")
    segmentation = annotation.get("segmentation")
    if with_masks and not segmentation:
        yield Finding("error", "has no mask (segmentation), and the task needs one of each object", "no mask")
    yield from _segmentation_findings(segmentation, width, height, _severity(with_masks))
    yield from _keypoint_findings(annotation.get("keypoints"), joints, _severity(with_keypoints))


def _severity(asked_for: bool) -> Severity:
    return "error" if asked_for else "warning"


def _box_findings(box: object, width: int, height: int) -> Iterator[Finding]:
    if not is_box(box):
        what = f"the box {short(box)} is not" if box else "has no box (bbox); it needs"
        yield Finding("error", f"{what} four numbers: left, top, width, height", "box")
        return
    left, top, right, bottom = box[0], box[1], box[0] + box[2], box[1] + box[3]
    if box[2] <= 0 or box[3] <= 0:
        yield Finding("error", f"the box {box} has no area", "box")
    elif left >= width or top >= height or right <= 0 or bottom <= 0:
        yield Finding("error", f"the box {box} is outside its image of {width} x {height}", "box")
    elif right <= 1 and bottom <= 1 and min(width, height) > 2:
        what = f"the box {box} lies in the first pixel: are its numbers parts of the image instead of pixels?"
        yield Finding("warning", what, "fraction")
    elif max(-left, -top, right - width, bottom - height) > BORDER_TOLERANCE:
        yield Finding("warning", f"the box {box} is cut at the border of its image of {width} x {height}", "border")


def _segmentation_findings(segmentation: object, width: int, height: int, severity: Severity) -> Iterator[Finding]:
    """Nothing at all is no fault here: an object without a mask."""
    match segmentation or None:
        case None:
            return
        case {"counts": str() | bytes() | [*_], "size": size}:
            if size != [height, width]:
                yield Finding(
                    severity, f"its mask is of size {short(size)}, its image of {[height, width]}", "mask size"
                )
        case [*polygons] if all(isinstance(polygon, list) for polygon in polygons):
            if not all(len(polygon) % 2 == 0 and are_numbers(polygon) for polygon in polygons):
                yield Finding(severity, "a polygon of its segmentation is no list of x, y, x, y, ...", "polygon")
            elif max(map(len, polygons)) < 6:
                yield Finding(severity, "no polygon of its segmentation has three points", "small polygons")
            elif min(map(len, polygons)) < 6:
                yield Finding("warning", "a polygon with fewer than three points is left out", "small polygon")
        case _:
            what = "its segmentation is neither a list of polygons nor a run-length code"
            yield Finding(severity, what, "segmentation")


def _keypoint_findings(keypoints: object, joints: int, severity: Severity) -> Iterator[Finding]:
    if not joints or are_keypoints(keypoints, joints):
        return
    if isinstance(keypoints, list) and are_numbers(keypoints):
        what = f"has {len(keypoints)} keypoint numbers; {joints} keypoints need {3 * joints}"
    else:
        what = f"its keypoints are {short(keypoints)} instead of a list of numbers"
    yield Finding(severity, what, "keypoints")
