"""What each process has seen, brought together on rank 0, with every image counted once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch.distributed as dist
from jaxtyping import Float64, Int64, Shaped
from numpy import ndarray

COLUMNS = 7  # image, x, y, width, height, score, class: the array form of COCO's results format, without its ids


class Seen(NamedTuple):
    """Images in the order they were seen, and their detections in the same order."""

    images: Int64[ndarray, " M"]  # numbers from 0; float64, as rows have it, does not hold every id of 64 bits
    counts: Int64[ndarray, " M"]  # detections of each image
    rows: Float64[ndarray, "N 7"]
    codes: Shaped[ndarray, " N"]  # texts: the run-length codes of their masks; empty where there are none


def join(parts: list[Seen]) -> Seen:
    nothing = Seen(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, COLUMNS)), np.empty(0, object))
    return Seen(*map(np.concatenate, zip(nothing, *parts, strict=True)))


def each_image_once(seen: Seen) -> Seen:
    """Drop the detections of an image's later appearances; what is left is ordered by image.

    A distributed sampler repeats images to give all processes the same number of them.
    """
    images, first = np.unique(seen.images, return_index=True)
    is_first = np.zeros(len(seen.images), dtype=bool)
    is_first[first] = True
    kept = np.flatnonzero(np.repeat(is_first, seen.counts))
    kept = kept[np.argsort(seen.rows[kept, 0], kind="stable")]
    return Seen(images, seen.counts[first], seen.rows[kept], seen.codes[kept])


def gather_on_first(seen: Seen) -> Seen | None:
    """All processes' images, each once: on rank 0, None on the others. Every rank must call it."""
    if not is_distributed():
        return each_image_once(seen)
    parts = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(seen, parts)
    return each_image_once(join(parts)) if parts else None


def gather_images(
    ids: Int64[ndarray, " M"], rows: Float64[ndarray, "M C"]
) -> tuple[Int64[ndarray, " N"], Float64[ndarray, "N C"]] | None:
    """All processes' images with a row each, every image once, ordered by id: on rank 0, None on the others."""
    if is_distributed():
        parts = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
        dist.gather_object((ids, rows), parts)
        if parts is None:
            return None
        ids, rows = map(np.concatenate, zip(*parts, strict=True))
    images, first = np.unique(ids, return_index=True)
    return images, rows[first]


def gather_lists(own: list) -> list | None:
    """Those of all processes, one after the other: on rank 0, None on the others. Every rank must call it."""
    if not is_distributed():
        return own
    parts = [None] * dist.get_world_size() if dist.get_rank() == 0 else None
    dist.gather_object(own, parts)
    return None if parts is None else [each for part in parts for each in part]


def gather_predictions(own: list[list[dict]]) -> list[dict]:
    """Those of each image, by `image_id`, each image once: on rank 0, none on the others. Every rank must call it."""
    found = gather_lists(own) or []
    once = {each[0]["image_id"]: each for each in reversed(found) if each}
    return [prediction for image_id in sorted(once) for prediction in once[image_id]]


def broadcast_from_first(value: Any) -> Any:
    """Rank 0's `value` on every rank. Every rank must call it."""
    if not is_distributed():
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()
