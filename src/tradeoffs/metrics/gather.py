"""What each process has seen, brought together on rank 0, with every image counted once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch.distributed as dist
from jaxtyping import Float64, Int64
from numpy import ndarray

COLUMNS = 7  # image id, x, y, width, height, score, category id: the array form of COCO's results format


class Seen(NamedTuple):
    """Images in the order they were seen, and their detections in the same order."""

    image_ids: Int64[ndarray, " M"]
    counts: Int64[ndarray, " M"]  # detections of each image
    rows: Float64[ndarray, "N 7"]  # float64 holds ids up to 2^53 exactly


def join(parts: list[Seen]) -> Seen:
    nothing = Seen(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, COLUMNS)))
    return Seen(*map(np.concatenate, zip(nothing, *parts, strict=True)))


def each_image_once(seen: Seen) -> Seen:
    """Drop the detections of an image's later appearances; what is left is ordered by image id.

    A distributed sampler repeats images to give all processes the same number of them.
    """
    image_ids, first = np.unique(seen.image_ids, return_index=True)
    is_first = np.zeros(len(seen.image_ids), dtype=bool)
    is_first[first] = True
    rows = seen.rows[np.repeat(is_first, seen.counts)]
    return Seen(image_ids, seen.counts[first], rows[np.argsort(rows[:, 0], kind="stable")])


def gather_on_first(seen: Seen) -> Seen | None:
    """All processes' images, each once: on rank 0, None on the others. Every rank must call it."""
    if not is_distributed():
        return each_image_once(seen)
    parts = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(seen, parts)
    return each_image_once(join(parts)) if parts else None


def broadcast_from_first(value: Any) -> Any:
    """Rank 0's `value` on every rank. Every rank must call it."""
    if not is_distributed():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()
