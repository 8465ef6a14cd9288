"""What the tests of equality with torchvision's detectors share. Its labels are ours plus `first_label`."""

import torch
from pytest import MonkeyPatch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler
from torchvision.ops import box_iou

from tradeoffs.models.detection import rpn, two_stage
from tradeoffs.ops.masks import unpack
from tradeoffs.structures import DetectedPoses, Detections, Targets


def random_images(batch: int, size: int) -> Tensor:
    return torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def mixed_targets() -> Targets:
    """For three images of 128 px: four objects, two alike and one small; none; one that touches two edges."""
    boxes = torch.zeros(3, 4, 4)
    boxes[0] = torch.tensor([[10.0, 20, 80, 90], [50, 40, 120, 125], [12, 22, 78, 95], [37, 41, 58, 66]])
    boxes[2, 0] = torch.tensor([5.0, 60, 100, 128])
    labels = torch.tensor([[0, 4, 2, 1], [0, 0, 0, 0], [3, 0, 0, 0]])
    valid = torch.tensor([[True] * 4, [False] * 4, [True] + [False] * 3])
    return Targets(boxes, labels, valid)


def first_of(positive: torch.Tensor, negative: torch.Tensor, count: int, fraction: float) -> torch.Tensor:
    """The first of each kind in place of any, as `balanced`."""
    positive = positive & (positive.cumsum(dim=1) <= int(count * fraction))
    return positive | negative & (negative.cumsum(dim=1) <= count - positive.sum(dim=1, keepdim=True))


def first_of_theirs(sampler: BalancedPositiveNegativeSampler, matched: list[torch.Tensor]):
    chosen = [
        first_of(image[None] >= 1, image[None] == 0, sampler.batch_size_per_image, sampler.positive_fraction)[0]
        for image in matched
    ]
    pairs = zip(chosen, matched, strict=True)
    positives, negatives = zip(*[(c & (m >= 1), c & (m == 0)) for c, m in pairs], strict=True)
    return list(positives), list(negatives)


@torch.no_grad()
def their_losses(theirs: nn.Module, images: Tensor, targets: Targets, first_label: int = 0) -> dict[str, Tensor]:
    """torchvision's losses, with the fixed statistics of batch norm."""
    rows = zip(targets.boxes, targets.labels, targets.valid, strict=True)
    objects = [{"boxes": boxes[valid], "labels": labels[valid] + first_label} for boxes, labels, valid in rows]
    if targets.masks is not None:
        for each, packed, valid in zip(objects, targets.masks, targets.valid, strict=True):
            each["masks"] = unpack(packed[valid], images.shape[-1])
    if targets.keypoints is not None:
        for each, keypoints, valid in zip(objects, targets.keypoints, targets.valid, strict=True):
            each["keypoints"] = keypoints[valid]
    theirs.train()
    theirs.backbone.eval()
    losses = theirs(list(images / 255), objects)
    theirs.eval()
    return losses


@torch.no_grad()
def check_losses_of_the_same_samples(
    theirs: nn.Module, ours: nn.Module, images: Tensor, targets: Targets, third: str, monkeypatch: MonkeyPatch
) -> None:
    """Those of the second stage, of which the `third` is of masks or keypoints: ours by its name, theirs."""
    monkeypatch.setattr(BalancedPositiveNegativeSampler, "__call__", first_of_theirs)
    monkeypatch.setattr(rpn, "balanced", first_of)
    monkeypatch.setattr(two_stage, "balanced", first_of)
    mine = ours.losses(images, targets)
    reference = their_losses(theirs, images, targets, first_label=1)
    names = {
        third: f"loss_{third.removesuffix('s')}",
        "classification": "loss_classifier",
        "localization": "loss_box_reg",
    }
    for name, their_name in names.items():
        assert_close(mine[name], reference[their_name], atol=1e-5, rtol=1e-4)
        assert mine[name] > 0


@torch.no_grad()
def check_detections(theirs: nn.Module, ours: nn.Module, images: Tensor, first_label: int = 0) -> None:
    """Both find the same objects, at least one in each image."""
    found, reference = ours.predict(images), theirs(list(images / 255))
    for i, expected in enumerate(reference):
        valid = found.valid[i]
        mine = {"boxes": found.boxes[i][valid], "scores": found.scores[i][valid], "labels": found.labels[i][valid]}
        theirs_here = expected | {"labels": expected["labels"] - first_label}
        assert len(theirs_here["scores"]) > 0
        assert_same_detections(mine, theirs_here, ours.score_threshold, ours.nms_threshold)


def same_detections(
    found: Detections, row: int, expected: dict[str, Tensor], first_label: int = 0
) -> tuple[Tensor, Tensor]:
    """Rows of ours and of torchvision's that have the same label, box and score, pairwise."""
    mine = {"boxes": found.boxes[row], "scores": found.scores[row], "labels": found.labels[row]}
    other = expected | {"labels": expected["labels"] - first_label}
    alike = same_label(mine, other) & close(mine["scores"], other["scores"]) & close_boxes(mine, other)
    rows, columns = map(torch.from_numpy, linear_sum_assignment(~(alike & found.valid[row][:, None])))
    paired = (alike & found.valid[row][:, None])[rows, columns]
    return rows[paired], columns[paired]


def same_people(found: DetectedPoses, row: int, expected: dict[str, Tensor], least: int = 1) -> tuple[Tensor, Tensor]:
    """As `same_detections`; joints are equal, too, but for maps with two peaks that are equally high to rounding."""
    mine, other = same_detections(found, row, expected, first_label=1)
    assert len(mine) >= least
    joints, wanted = found.keypoints[row, mine, :, :2], expected["keypoints"][other, :, :2]
    assert torch.isclose(joints, wanted, atol=0.05).all(dim=-1).float().mean() > 0.99
    assert joints.flatten(0, 1).std(dim=0).min() > 5
    return mine, other


def assert_same_detections(
    found: dict[str, Tensor], expected: dict[str, Tensor], score_threshold: float, nms_threshold: float
) -> None:
    """Each detection has its partner of the same label, box and score.

    Scores of two libraries, or two processors, agree to rounding alone. So what scores alike may stand in another
    order; may be the one that is left where one of two suppresses the other; may fall on either side of the lowest
    score that is kept.
    """
    alike = same_label(found, expected) & close(found["scores"], expected["scores"]) & close_boxes(found, expected)
    rows, columns = linear_sum_assignment(~alike)
    paired = alike[rows, columns].numpy()  # of a tensor with one element numpy makes a number
    for one, other, rest in ((found, expected, rows[paired]), (expected, found, columns[paired])):
        alone = torch.ones(len(one["scores"]), dtype=torch.bool)
        alone[rest] = False
        lowest = torch.tensor([score_threshold, *other["scores"].tolist()[-1:]])
        tie = same_label(one, other) & close(one["scores"], other["scores"])
        suppressed = (tie & (box_iou(one["boxes"], other["boxes"]) > nms_threshold)).any(dim=1)
        excused = suppressed | close(one["scores"], lowest).any(dim=1)
        assert excused[alone].all(), {key: value[alone & ~excused] for key, value in one.items()}


def close(a: Tensor, b: Tensor, absolute: float = 1e-5) -> Tensor:
    """Which of `a` equals which of `b` but for rounding."""
    return torch.isclose(a[:, None], b[None], atol=absolute, rtol=1e-4)


def close_boxes(one: dict[str, Tensor], other: dict[str, Tensor]) -> Tensor:
    return close(one["boxes"], other["boxes"], absolute=1e-2).all(dim=2)


def same_label(one: dict[str, Tensor], other: dict[str, Tensor]) -> Tensor:
    return one["labels"][:, None] == other["labels"][None]
