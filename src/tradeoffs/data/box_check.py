"""Do the boxes of a split look like boxes in pixels? What only shows when they are seen together."""

from __future__ import annotations

from collections.abc import Iterator

from jaxtyping import Float64
from numpy import ndarray

from tradeoffs.data.annotation_check import BORDER_TOLERANCE, Severity

FEW = 20  # boxes that may well lie in one corner of their images by chance
OFTEN = 0.2  # of all boxes; so many do not reach over the border in data that are only roughly labelled


def box_findings(boxes: Float64[ndarray, "N 4"], sizes: Float64[ndarray, "N 2"]) -> Iterator[tuple[Severity, str]]:
    """`boxes` are left, top, width, height as in the file; `sizes` width, height of the image of each."""
    if not len(boxes):
        return
    start, extent = boxes[:, :2], boxes[:, 2:]
    end, limits = start + extent, sizes + BORDER_TOLERANCE
    over = (end > limits).any(axis=1)
    if boxes.max() <= 1 and (sizes > 2).all():
        yield "error", "all boxes lie between 0 and 1: they look like fractions of the image; COCO's are in pixels"
    elif over.mean() >= OFTEN:
        count = f"{over.sum()} of {len(boxes)} boxes reach over the border of their image"
        yield "warning", f"{count}; {_likely_cause(start, extent, end, sizes)}"
    elif len(boxes) >= FEW:
        for unit, whole in (("percent", 100), ("thousandths", 1000)):
            if whole / 2 < end.max() <= whole and (sizes > 2 * whole).all():
                yield (
                    "warning",
                    f"no box reaches beyond {whole}: perhaps they are {unit} of the image instead of pixels",
                )


def _likely_cause(start: ndarray, extent: ndarray, end: ndarray, sizes: ndarray) -> str:
    limits = sizes + BORDER_TOLERANCE
    if (extent > start).all() and (extent <= limits).all():
        return "perhaps they are left, top, right, bottom; COCO's are left, top, width, height"
    if (end <= limits[:, ::-1]).all():
        return "perhaps they were made on photos turned by 90 degrees"
    if 500 < end.max() <= 1000:
        return "perhaps they are thousandths of the image instead of pixels, or of photos of another size"
    return "perhaps they were made on photos of another size"
