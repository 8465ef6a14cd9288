"""Our SSD300-VGG16 against torchvision's with the same weights: prediction and training, timed in turns.

    python benchmarks/ssd.py [--repeats 10]

Both get the same images in memory: ours as a uint8 batch of 300 px, torchvision's as the list of float images in 0..1
that it asks for, 300 px too, so its resizing has nothing to do. Ours is prepared as `predict.py` prepares it (channels
last; there is no batch norm to fold in VGG16). Two cases of prediction are timed: as many candidates for suppression
as a trained network leaves, and "flooded", where almost every box of every class is a candidate.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

import torch
from table import compare, print_table
from torch import Tensor, nn
from torch.testing import assert_close
from torchvision_ssd import build_pair

from tradeoffs.measure.fuse import fuse_for_inference
from tradeoffs.measure.timer import time_in_turns
from tradeoffs.models.detection.ssd import SSD
from tradeoffs.structures import Targets

CLASSES = 90
OBJECTS = 7  # of an image, as in COCO
CANDIDATES = 1700  # of an image: what our SSD leaves on BCCD at the same score threshold of 0.01
PREDICT_GOALS = {1: 1.2, 8: 1.5}
TRAINING_GOAL = 1.15


def main(repeats: int = 10) -> list[dict]:
    torch.manual_seed(0)
    theirs, ours = build_pair(CLASSES)
    images = torch.randint(0, 256, (8, 3, 300, 300), dtype=torch.uint8)
    rows = []
    biases = {f"{CANDIDATES} candidates": bias_for(ours, images, CANDIDATES), "flooded": 0.0}
    for case, bias in biases.items():
        bias_background(theirs, ours, bias)
        rows += [predict_row(theirs, ours, images[:size], case, repeats) for size in PREDICT_GOALS]
    bias_background(theirs, ours, 0.0)
    rows.append(training_row(theirs, ours, images, repeats))
    print_table(rows, title=f"SSD300-VGG16, {torch.get_num_threads()} threads")
    return rows


@torch.inference_mode()
def bias_for(ours: SSD, images: Tensor, candidates: int) -> float:
    """The bias of the background at which the mean number of scores per image above the threshold is `candidates`."""
    bias_heads(ours, 0.0)
    output = ours.eval()(images)
    logits = output.logits.clone()
    low, high = 0.0, 20.0
    for _ in range(30):
        bias = (low + high) / 2
        logits[..., -1] = output.logits[..., -1] + bias
        found = ours.num_candidates(output._replace(logits=logits)).float().mean()
        low, high = (bias, high) if found > candidates else (low, bias)
    return bias


def bias_heads(ours: SSD, bias: float) -> None:
    for head, count in zip(ours.heads, ours.num_shapes, strict=True):
        head.bias.data.view(count, -1)[:, -1] = bias


@torch.no_grad()
def bias_background(theirs: nn.Module, ours: SSD, bias: float) -> None:
    """Makes the background likelier in both."""
    bias_heads(ours, bias)
    for layer, count in zip(theirs.head.classification_head.module_list, ours.num_shapes, strict=True):
        layer.bias.view(count, -1)[:, 0] = bias


def predict_row(theirs: nn.Module, ours: SSD, images: Tensor, case: str, repeats: int) -> dict:
    theirs.eval()
    network = fuse_for_inference(ours, images[:1], channels_last=True)
    floats = list(images / 255)
    with torch.inference_mode():
        check_equal(network, theirs, images, floats)
        timings = time_in_turns(
            {"ours": lambda: network.predict(images), "theirs": lambda: theirs(floats)}, repeats, warmup=2, device="cpu"
        )
    size = len(images)
    return compare(f"predict, batch {size}, {case}", timings["ours"], timings["theirs"], PREDICT_GOALS[size])


def check_equal(ours: SSD, theirs: nn.Module, images: Tensor, floats: list[Tensor]) -> None:
    """The same detections, to float tolerance. Near ties may change places: two in a hundred may differ."""
    mine, reference = ours.predict(images), theirs(floats)
    for row, expected in enumerate(reference):
        found = mine.valid[row]
        assert_close(mine.scores[row][found], expected["scores"], atol=1e-4, rtol=1e-3)
        same_box = torch.isclose(mine.boxes[row][found], expected["boxes"], atol=0.05).all(dim=1)
        same_label = mine.labels[row][found] + 1 == expected["labels"]
        assert (same_box & same_label).float().mean() >= 0.98


def training_row(theirs: nn.Module, ours: SSD, images: Tensor, repeats: int) -> dict:
    corner = torch.rand(len(images), OBJECTS, 2) * 200
    boxes = torch.cat([corner, corner + 10 + torch.rand(len(images), OBJECTS, 2) * 90], dim=-1)
    labels = torch.randint(0, CLASSES, (len(images), OBJECTS))
    targets = Targets(boxes, labels, torch.ones_like(labels, dtype=torch.bool))
    theirs_targets = [{"boxes": b, "labels": k + 1} for b, k in zip(boxes, labels, strict=True)]
    floats = list(images / 255)
    network = copy.deepcopy(ours).to(memory_format=torch.channels_last).train()
    reference = copy.deepcopy(theirs).train()
    steps = {
        "ours": training_step(network, lambda: network.losses(images, targets)),
        "theirs": training_step(reference, lambda: reference(floats, theirs_targets)),
    }
    timings = time_in_turns(steps, repeats, warmup=1, device="cpu")
    return compare("training step, batch 8", timings["ours"], timings["theirs"], TRAINING_GOAL)


def training_step(model: nn.Module, losses: Callable[[], dict[str, Tensor]]) -> Callable[[], None]:
    """Forward, backward and SGD; the learning rate is 0, so that random weights stay as they are."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        sum(losses().values()).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10, help="turns")
    main(parser.parse_args().repeats)
