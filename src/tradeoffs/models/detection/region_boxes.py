"""Ridge regression from the vectors of regions to the boxes of their objects (Girshick et al. 2014, appendix C)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from tradeoffs.models.detection.region_svms import MEAN_NORM, Describe
from tradeoffs.models.detection.two_stage import first_regions
from tradeoffs.ops.box_coding import encode
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.matching import gather_rows, match
from tradeoffs.ops.sampling import first_rows
from tradeoffs.structures import Batch


def regress_boxes(
    describe: Describe, batches: Iterable[Batch], num_classes: int, most: int, ridge: float, pairs_from: float
) -> tuple[Float64[Tensor, "_ D"], Float64[Tensor, " _"]]:
    """Weights and biases that give each class's offsets, `K * 4` outputs, after one pass over the batches.

    Learnt of the best `most` regions of an image that overlap an object by `pairs_from` or more, each with the one it
    overlaps most. Vectors are scaled to a mean norm of 20, as in the paper's code, since the strength of a `ridge`
    depends on that. The bias is not held down.
    """
    sums = None
    for batch in batches:
        regions, targets = first_regions(batch.regions, most), batch.targets
        matches = match(iou(targets.boxes, regions.boxes), targets.valid, pairs_from, force=False)
        pairs = (matches >= 0) & regions.valid
        index, real = first_rows(pairs, max(1, int(pairs.sum(dim=1).max())))
        boxes, objects = gather_rows(regions.boxes, index), matches.gather(1, index)
        vectors = describe(batch.images, boxes)[real]
        wanted = encode(gather_rows(targets.boxes, objects)[real], boxes[real])
        sums = sums or PairSums(num_classes, vectors.shape[1])
        sums.add(vectors, wanted, gather_rows(targets.labels, objects)[real])
    return sums.solve(ridge)


class PairSums:
    """Sums of vectors, targets and their products for each class, from which regressions follow whatever went in.

    They take D x D numbers for each class that has pairs.
    """

    def __init__(self, num_classes: int, channels: int):
        self.num_classes, self.channels = num_classes, channels
        self.products: dict[int, Float64[Tensor, "_ _"]] = {}  # of (vector, offsets, 1) with itself, by class
        self.norms = 0.0

    def add(self, vectors: Float[Tensor, "P D"], offsets: Float[Tensor, "P 4"], labels: Int64[Tensor, " P"]) -> None:
        ones = torch.ones_like(offsets[:, :1])
        rows, labels = torch.cat([vectors, offsets, ones], dim=1).cpu().double(), labels.cpu()
        self.norms += float(rows[:, : self.channels].norm(dim=1).sum())
        for label in labels.unique().tolist():
            own = rows[labels == label]
            self.products[label] = self.products.get(label, 0) + own.T @ own

    def solve(self, ridge: float) -> tuple[Float64[Tensor, "_ D"], Float64[Tensor, " _"]]:
        """Weights and biases of all classes; of those without pairs zeros."""
        weight = torch.zeros(self.num_classes, 4, self.channels, dtype=torch.float64)
        bias = torch.zeros(self.num_classes, 4, dtype=torch.float64)
        count = sum(float(products[-1, -1]) for products in self.products.values())
        scale = MEAN_NORM * count / self.norms if self.norms > 0 else 1.0
        for label, products in self.products.items():
            vectors, offsets = slice(self.channels), slice(self.channels, -1)
            means = products[-1] / products[-1, -1]
            centred = products - products[-1, -1] * means.outer(means)
            held = centred[vectors, vectors] + ridge / scale**2 * torch.eye(self.channels, dtype=torch.float64)
            weight[label] = torch.linalg.solve(held, centred[vectors, offsets]).T
            bias[label] = means[offsets] - weight[label] @ means[vectors]
        return weight.flatten(0, 1), bias.flatten()
