"""A linear support vector machine for each class, trained on the hardest negatives (Girshick et al. 2014, section 2.3).

Numbers are those of the paper's appendix B and of its published code (rcnn_train.m).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from tradeoffs.models.detection.rpn import Proposals
from tradeoffs.models.detection.two_stage import first_regions
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.nms import suppress
from tradeoffs.structures import Batch, Targets

Describe = Callable[[Tensor, Tensor], Tensor]  # images, `B P 4` boxes: `B P D` vectors

MEAN_NORM, COUNTED_IMAGES = 20.0, 200  # to which vectors are scaled; images whose regions tell what it is before
NEGATIVE_BELOW, DISTINCT = 0.3, 0.7  # IoU with every object of the class; with other negatives
COST, POSITIVE_WEIGHT, BIAS_SCALE, TOLERANCE = 1e-3, 2.0, 10.0, 0.1
HARD, EASY = -1.0001, -1.2  # margins above which negatives are taken into the cache, below which they leave it
RETRAIN = 2000  # negatives that are taken in until a machine is trained again
NEVER = -20.0  # the margin of a class that training has no object of


def train_svms(
    describe: Describe, batches: Iterable[Batch], num_classes: int, most: int, cached: int, distinct: bool
) -> tuple[Float[Tensor, "K D"], Float[Tensor, " K"]]:
    """Weights and biases, after two passes over the batches: for the objects, and for the negatives among the regions.

    The best `most` regions of an image are looked at. What is kept is the vectors of all objects, and of each class at
    most `cached` negatives and those that its next training waits for.
    """
    positives, norm = objects(describe, batches, num_classes, most)
    scale = MEAN_NORM / norm if norm > 0 else 1.0
    machines = MinedSVMs([scale * vectors for vectors in positives], cached)
    for batch in batches:
        regions = first_regions(batch.regions, most)
        vectors = scale * describe(batch.images, regions.boxes).float().cpu()
        negative = negatives(regions, batch.targets, num_classes, distinct).cpu()
        machines.add(vectors.flatten(0, 1), negative.mT.flatten(0, 1))
    machines.finish()
    return scale * machines.weight, machines.bias


def objects(
    describe: Describe, batches: Iterable[Batch], num_classes: int, most: int
) -> tuple[list[Float[Tensor, "_ D"]], float]:
    """The vectors of each class's objects, and the mean norm of those of the regions in the first images."""
    vectors, labels, norms, images = [], [], [], 0
    for batch in batches:
        valid = batch.targets.valid
        vectors.append(describe(batch.images, batch.targets.boxes)[valid].float().cpu())
        labels.append(batch.targets.labels[valid].cpu())
        if images < COUNTED_IMAGES:
            regions = first_regions(batch.regions, most)
            norms.append(describe(batch.images, regions.boxes)[regions.valid].float().norm(dim=1).cpu())
        images += len(batch)
    every, of = torch.cat(vectors), torch.cat(labels)
    return [every[of == label] for label in range(num_classes)], float(torch.cat(norms).double().mean().nan_to_num())


def negatives(
    regions: Proposals, targets: Targets, num_classes: int, distinct: bool
) -> Bool[Tensor, "B {num_classes} R"]:
    """Which regions are negatives of which class; if `distinct`, none overlaps a better one by more than 0.7."""
    overlaps = iou(targets.boxes, regions.boxes) * targets.valid[..., None]
    of_class = overlaps.new_zeros(len(overlaps), num_classes, overlaps.shape[2])
    of_class.scatter_reduce_(1, targets.labels[..., None].expand_as(overlaps), overlaps, "amax")
    negative = (of_class < NEGATIVE_BELOW) & regions.valid[:, None]
    if not distinct:
        return negative
    # Classes that the images do not show have the same negatives.
    masks, which = negative.unique(dim=1, return_inverse=True)
    kept = [suppress(regions.boxes, None, mask, DISTINCT) for mask in masks.unbind(1)]
    return torch.stack(kept, dim=1)[:, which]


class MinedSVMs:
    """Machines that are trained again and again while negatives go by, of which each keeps those it needs.

    A machine that was never trained takes all negatives for hard ones.
    """

    def __init__(self, positives: list[Float[Tensor, "_ D"]], cached: int):
        self.positives, self.cached = positives, cached
        self.weight = torch.zeros(len(positives), positives[0].shape[1])
        self.bias = torch.tensor([0.0 if len(vectors) else NEVER for vectors in positives])
        self.negatives: list[list[Tensor]] = [[] for _ in positives]
        self.added = [0] * len(positives)  # since the last training

    def add(self, vectors: Float[Tensor, "N D"], negative: Bool[Tensor, "N K"]) -> None:
        """The vectors of some regions, and of which classes they are negatives."""
        for part, own in zip(vectors.split(RETRAIN), negative.split(RETRAIN), strict=True):
            hard = own & (part @ self.weight.T + self.bias > HARD)
            for label in hard.any(dim=0).nonzero()[:, 0].tolist():
                self.negatives[label].append(part[hard[:, label]])
                self.added[label] += len(self.negatives[label][-1])
                if self.added[label] >= RETRAIN:
                    self.train(label)

    def finish(self) -> None:
        for label, added in enumerate(self.added):
            if added:
                self.train(label)

    def train(self, label: int) -> None:
        """Of the class's objects and the negatives in its cache, whose easy ones are then left out."""
        from sklearn.svm import LinearSVC  # a second, which nobody else has to wait for

        positives, rows = self.positives[label], torch.cat(self.negatives[label])
        options = {"C": COST, "loss": "hinge", "class_weight": {1: POSITIVE_WEIGHT}, "intercept_scaling": BIAS_SCALE}
        machine = LinearSVC(**options, tol=TOLERANCE, max_iter=10_000, random_state=0)
        machine.fit(torch.cat([positives, rows]).numpy(), [1] * len(positives) + [-1] * len(rows))
        self.weight[label] = torch.from_numpy(machine.coef_[0])
        self.bias[label] = float(machine.intercept_[0])
        margins = rows @ self.weight[label] + self.bias[label]
        hardest = margins.argsort(descending=True, stable=True)[: self.cached]
        self.negatives[label] = [rows[hardest[margins[hardest] >= EASY].sort().values]]
        self.added[label] = 0
