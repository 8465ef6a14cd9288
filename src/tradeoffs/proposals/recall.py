"""How much of what is there regions find, whatever its class: recall, average recall, best overlap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from tradeoffs.ops.boxes import iou

COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # of regions for each image
THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).tolist())  # COCO's, of the IoU


def best_overlaps(
    objects: Float[Tensor, "T 4"], regions: Float[Tensor, "N 4"], counts: Sequence[int] = COUNTS
) -> Float64[Tensor, "T G"]:
    """Each object's highest IoU with one of the first n regions of its image, for each n of `counts`."""
    overlaps = iou(objects.double(), regions.double())
    so_far = torch.cat([overlaps.new_zeros(len(objects), 1), overlaps], dim=1).cummax(dim=1).values
    return so_far[:, torch.tensor(counts).clamp(max=len(regions))]


def recalls(best: Float64[Tensor, "T G"], thresholds: Sequence[float] = THRESHOLDS) -> Float64[Tensor, "G K"]:
    """The part of all objects that a region overlaps as much as a threshold or more.

    One region may find several objects, as for Uijlings et al. (2013). COCO's AR gives each region to one object at
    most, so it is the same but where objects nearly coincide, and never higher.
    """
    return (best[..., None] >= best.new_tensor(thresholds)).double().mean(dim=0)


def average_recall(best: Float64[Tensor, "T G"]) -> Float64[Tensor, " G"]:
    """The mean over COCO's thresholds.

    Hosang et al. (2016) define it as twice the area below the recall over IoUs from 0.5 to 1. Recall falls, so that is
    never higher.
    """
    return recalls(best).mean(dim=1)


def mean_average_best_overlap(best: Float64[Tensor, "T G"], labels: Int64[Tensor, " T"]) -> Float64[Tensor, " G"]:
    """MABO: the mean over classes of the mean best overlap of a class's objects (Uijlings et al. 2013, section 5)."""
    return torch.stack([best[labels == label].mean(dim=0) for label in labels.unique()]).mean(dim=0)
