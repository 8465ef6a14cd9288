"""Random views of a training image, drawn before a pixel is touched.

Zooming out, cropping and mirroring only choose a window of the image. It is cut out and resized in one step
(`resize.Placement`), so no canvas of up to sixteen times the image is ever painted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from .resize import Window

Augmentation = Literal["ssd", "crop", "flip", "person", "none"]
Boxes = Float[np.ndarray, "N 4"]

# The least overlap with an object that a crop must have (Liu et al. 2016, section 2.2); 0: any crop, 1: no crop.
MINIMUM_OVERLAPS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
CROP_SCALE = (0.3, 1.0)  # of each side; from the authors' code, the paper says 0.1
CROP_ASPECT = (0.5, 2.0)
CROP_TRIALS = 40
SMALLEST_CROP, PART_ASPECT, PART_TRIALS = 0.08, (3 / 4, 4 / 3), 10  # of parts for classifiers; torchvision's defaults
ZOOM_OUT = (1.0, 4.0)  # side of the canvas; the paper's 16x expansion is in area


def draw_window(
    augmentation: Augmentation,
    boxes: Boxes,
    height: int,
    width: int,
    rng: np.random.Generator,
    smallest_crop: float = SMALLEST_CROP,
) -> Window:
    """A random view of a `height` x `width` image with objects `boxes` (xyxy, pixels).

    `ssd`: zoom out, crop and mirror (Liu et al. 2016, sections 2.2 and 3.6); `crop`: a part of the image that holds
    `smallest_crop` of its area or more, whatever is in it, and mirror (Szegedy et al. 2015, section 6); `flip`: mirror;
    `none`: all as it is. (`person` is for people one by one, see `person_views`.)
    """
    window = Window(0, 0, width, height)
    if augmentation == "none":
        return window
    if augmentation == "ssd":
        if rng.random() < 0.5:
            window = zoom_out(window, rng)
        if len(boxes):  # a crop without an object to keep would never be accepted
            window = crop(window, boxes, rng)
    if augmentation == "crop":
        window = part(window, smallest_crop, rng)
    return replace(window, mirrored=bool(rng.random() < 0.5))


def part(window: Window, smallest: float, rng: np.random.Generator) -> Window:
    """As torchvision's RandomResizedCrop draws it: an area, a shape and a place; the first of ten that fits.

    Where none does, as in a very wide image, the largest part of a permitted shape, from the middle.
    """
    areas = window.width * window.height * rng.uniform(smallest, 1, PART_TRIALS)
    shapes = np.exp(rng.uniform(*np.log(PART_ASPECT), PART_TRIALS))
    widths, heights = np.sqrt(areas * shapes).round().astype(int), np.sqrt(areas / shapes).round().astype(int)
    fits = (widths > 0) & (heights > 0) & (widths <= window.width) & (heights <= window.height)
    if fits.any():
        width, height = int(widths[fits.argmax()]), int(heights[fits.argmax()])
        left, top = (int(rng.integers(room + 1)) for room in (window.width - width, window.height - height))
    else:
        width = min(window.width, round(window.height * PART_ASPECT[1]))
        height = min(window.height, round(window.width / PART_ASPECT[0]))
        left, top = (window.width - width) // 2, (window.height - height) // 2
    return Window(window.left + left, window.top + top, window.left + left + width, window.top + top + height)


def zoom_out(window: Window, rng: np.random.Generator) -> Window:
    """A window up to four times as wide and high, the image somewhere in it."""
    ratio = rng.uniform(*ZOOM_OUT)
    width, height = int(window.width * ratio), int(window.height * ratio)
    left = window.left - int((width - window.width) * rng.random())
    top = window.top - int((height - window.height) * rng.random())
    return Window(left, top, left + width, top + height)


def crop(window: Window, boxes: Boxes, rng: np.random.Generator) -> Window:
    """A part of the window that holds the centre of an object and overlaps one enough (IoU).

    Which overlap is enough is drawn first, then up to 40 crops, then again. All 40 are judged at once: torchvision's
    `RandomIoUCrop` tries one after the other, which takes longer than decoding the photo.
    """
    while (overlap := MINIMUM_OVERLAPS[rng.integers(len(MINIMUM_OVERLAPS))]) < 1:
        crops = _draw_crops(window, rng)
        accepted = _fits(crops, boxes, overlap)
        if accepted.any():
            return Window(*map(int, crops[accepted.argmax()]))
    return window


def _draw_crops(window: Window, rng: np.random.Generator) -> Float[np.ndarray, "M 4"]:
    """Up to 40 random crops with whole-pixel edges."""
    full = np.array([window.width, window.height])
    sizes = np.floor(full * rng.uniform(*CROP_SCALE, size=(CROP_TRIALS, 2)))
    starts = np.array([window.left, window.top]) + np.floor((full - sizes) * rng.random((CROP_TRIALS, 2)))
    aspect = sizes[:, 0] / np.maximum(sizes[:, 1], 1)
    proper = (sizes > 0).all(axis=1) & (aspect >= CROP_ASPECT[0]) & (aspect <= CROP_ASPECT[1])
    return np.concatenate([starts, starts + sizes], axis=1)[proper]


def _fits(crops: Float[np.ndarray, "M 4"], boxes: Boxes, overlap: float) -> Bool[np.ndarray, " M"]:
    """Whether some object has its centre in the crop and at least this IoU with it."""
    low, high = crops[:, None, :2], crops[:, None, 2:]
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((low < centres) & (centres < high)).all(axis=-1)
    shared = np.clip(np.minimum(high, boxes[:, 2:]) - np.maximum(low, boxes[:, :2]), 0, None).prod(axis=-1)
    areas = (high - low).prod(axis=-1) + (boxes[:, 2:] - boxes[:, :2]).prod(axis=-1)
    return (inside & (shared >= overlap * (areas - shared))).any(axis=-1)
