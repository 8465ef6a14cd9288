"""What the tests of equality with torchvision's detectors share. Its labels are ours plus `first_label`."""

import torch
from torch import Tensor, nn
from torch.testing import assert_close

from tradeoffs.structures import Targets


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


@torch.no_grad()
def their_losses(theirs: nn.Module, images: Tensor, targets: Targets, first_label: int = 0) -> dict[str, Tensor]:
    """torchvision's losses, with the fixed statistics of batch norm."""
    rows = zip(targets.boxes, targets.labels, targets.valid, strict=True)
    objects = [{"boxes": boxes[valid], "labels": labels[valid] + first_label} for boxes, labels, valid in rows]
    theirs.train()
    theirs.backbone.eval()
    losses = theirs(list(images / 255), objects)
    theirs.eval()
    return losses


@torch.no_grad()
def check_detections(theirs: nn.Module, ours: nn.Module, images: Tensor, first_label: int = 0) -> None:
    """Both find the same objects, at least one in each image, in the same order."""
    mine, reference = ours.predict(images), theirs(list(images / 255))
    for i, expected in enumerate(reference):
        valid = mine.valid[i]
        assert valid.sum() == len(expected["boxes"]) > 0
        assert_close(mine.scores[i][valid], expected["scores"], atol=1e-5, rtol=1e-4)
        assert torch.equal(mine.labels[i][valid] + first_label, expected["labels"])
        assert_close(mine.boxes[i][valid], expected["boxes"], atol=1e-2, rtol=1e-4)
