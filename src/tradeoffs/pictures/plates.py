"""Where the plate with a box's name stands, so that it hides as little as possible."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

OVER_A_PLATE = 4.0  # hiding a name is that much worse than hiding as much of an object
PREFERENCE = 0.01  # the earlier of two places that hide nearly the same


def least_hiding(
    boxes: Float[ndarray, "n 4"],
    plates: Float[ndarray, "n 2"],
    objects: Float[ndarray, "m 4"],
    size: tuple[int, int],
) -> Float[ndarray, "n 4"]:
    """For each box the place, xyxy, of its plate (width, height) inside a canvas of `size` (width, height).

    Around a box eight places are tried. The first box chooses first. What a plate hides is measured in parts of the
    object or of the plate, whichever is smaller: a small object is not to vanish.
    """
    if not len(boxes):
        return np.zeros((0, 4))
    places = _around(boxes, plates, np.array(size, dtype=float))
    costs = _hidden(places.reshape(-1, 4), objects).reshape(places.shape[:2]) + PREFERENCE * np.arange(places.shape[1])
    chosen = np.zeros((len(boxes), 4))
    for i, (options, cost) in enumerate(zip(places, costs, strict=True)):
        chosen[i] = options[(cost + OVER_A_PLATE * _hidden(options, chosen[:i])).argmin()]
    return chosen


def _around(
    boxes: Float[ndarray, "n 4"], plates: Float[ndarray, "n 2"], size: Float[ndarray, " 2"]
) -> Float[ndarray, "n 8 4"]:
    """Above and below, at the left and the right; beside; inside: moved into the canvas."""
    x1, y1, x2, y2 = boxes.T.round()
    width, height = plates.T
    left = np.stack([x1, x1, x2 - width, x2 - width, x2, x1 - width, x1, x1], axis=1)
    top = np.stack([y1 - height, y2, y1 - height, y2, y1, y1, y1, y2 - height], axis=1)
    corner = np.minimum(np.stack([left, top], axis=2), size - plates[:, None]).clip(min=0)
    return np.concatenate([corner, corner + plates[:, None]], axis=2)


def _hidden(places: Float[ndarray, "k 4"], objects: Float[ndarray, "m 4"]) -> Float[ndarray, " k"]:
    """How much of the objects lies below each place, in parts of the smaller one."""
    low = np.maximum(places[:, None, :2], objects[None, :, :2])
    high = np.minimum(places[:, None, 2:], objects[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    smaller = np.minimum(_area(places)[:, None], _area(objects)[None]).clip(min=1)
    return (shared / smaller).sum(axis=1)


def _area(boxes: Float[ndarray, "k 4"]) -> Float[ndarray, " k"]:
    return (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
