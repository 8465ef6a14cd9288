"""Whatever a network predicts as objects in the original images, so that it is drawn and written in one way."""

from __future__ import annotations

from functools import singledispatch

import torch

from tradeoffs.structures import Batch, Detections, Labels, to_original


@singledispatch
def objects_in(predictions: object, batch: Batch) -> Detections:
    """In pixels of the original images."""
    raise TypeError(f"nobody knows how to show {type(predictions).__name__}")


@objects_in.register
def _(predictions: Detections, batch: Batch) -> Detections:
    return to_original(predictions, batch)


@objects_in.register
def _(predictions: Labels, batch: Batch) -> Detections:
    """The whole image is an object of the most probable class."""
    height, width = batch.original_sizes.float().split(1, dim=1)
    boxes = torch.cat([torch.zeros_like(width), torch.zeros_like(width), width, height], dim=1)
    valid = torch.ones_like(predictions.labels[:, :1], dtype=torch.bool)
    return Detections(boxes[:, None], predictions.scores[:, :1].float(), predictions.labels[:, :1], valid)
