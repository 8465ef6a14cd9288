"""A model of ours against torchvision's with the same weights: prediction and training, timed in turns.

Both get the same images in memory: ours as a uint8 batch, torchvision's as the list of float images in 0..1 that it
asks for, in the size it is built for, so its resizing has nothing to do. Ours is prepared as `predict.py` prepares it:
batch norm folded, channels last.
"""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from dataclasses import dataclass

import torch
from table import compare
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.testing import assert_close

from tradeoffs.measure.contender import Contender
from tradeoffs.measure.fuse import fuse_for_inference
from tradeoffs.measure.timer import time_in_turns
from tradeoffs.ops.masks import pack, unpack
from tradeoffs.structures import DetectedPoses, Detections, Instances, Targets

CLASSES = 90
OBJECTS = 7  # of an image, as in COCO
CANDIDATES = 1700  # of an image for suppression: what our trained SSD leaves on BCCD at its threshold of 0.01
PRODUCTS = ("conv", "mm", "linear")  # in names of operations that are convolutions and matrix products


@dataclass(frozen=True)
class Pair:
    """Two models with the same weights; torchvision's labels are ours plus `first_label`."""

    name: str
    theirs: nn.Module
    ours: nn.Module
    first_label: int = 0
    joints: int = 0  # of a person, where people are what is found
    masks: bool = False  # whether objects have some

    def set_threshold(self, threshold: float) -> None:
        """Lets detections of a higher score pass."""
        self.ours.score_threshold = threshold
        getattr(self.theirs, "roi_heads", self.theirs).score_thresh = threshold


@torch.inference_mode()
def threshold_for(ours: nn.Module, images: Tensor, candidates: int) -> float:
    """The score above which an image has `candidates` in the mean."""
    ours = copy.deepcopy(ours).eval()
    output = ours(images)
    low, high = 0.0, 1.0
    for _ in range(30):
        ours.score_threshold = (low + high) / 2
        many = ours.num_candidates(output).double().mean() > candidates
        low, high = (ours.score_threshold, high) if many else (low, ours.score_threshold)
    return high


def predict_rows(
    pair: Pair, images: Tensor, case: str, goal: float, repeats: int, with_compiled: bool = False
) -> list[dict]:
    """Times `predict` of a batch after a look at whether all find the same; perhaps once more, compiled by torch."""
    theirs = pair.theirs.eval()
    network = fuse_for_inference(pair.ours, images[:1], channels_last=True)
    floats = list(images / 255)
    calls = {"": Contender(network, images).predict, "theirs": torch.inference_mode()(lambda: theirs(floats))}
    if with_compiled and shutil.which("g++"):
        calls[", compiled"] = Contender(network, images, compile=True).predict
    for call in calls.values():
        if call is not calls["theirs"]:
            check_equal(call(), calls["theirs"](), pair.first_label)
    timings = time_in_turns(calls, repeats, warmup=2, device="cpu")
    what = f"{pair.name}, predict, batch {len(images)}, {case}"
    return [
        compare(what + kind, timing, timings["theirs"], goal) for kind, timing in timings.items() if kind != "theirs"
    ]


def check_equal(mine: Detections, reference: list[dict[str, Tensor]], first_label: int) -> None:
    """The same detections, to float tolerance. Near ties may change places: two in a hundred may differ."""
    for row, expected in enumerate(reference):
        found = mine.valid[row]
        assert_close(mine.scores[row][found], expected["scores"], atol=1e-4, rtol=1e-3)
        same_box = torch.isclose(mine.boxes[row][found], expected["boxes"], atol=0.05).all(dim=1)
        same_label = mine.labels[row][found] + first_label == expected["labels"]
        assert (same_box & same_label).float().mean() >= 0.98
        if isinstance(mine, DetectedPoses):
            places, wanted = mine.keypoints[row][found][..., :2], expected["keypoints"][..., :2]
            assert torch.isclose(places, wanted, atol=0.1).all(dim=2).float().mean() >= 0.98
        if isinstance(mine, Instances):
            wanted = expected["masks"][:, 0] > 0.5
            same = unpack(mine.pasted[row][found], wanted.shape[-1]).bool() == wanted
            assert same.float().mean() >= 0.99 and 0 < wanted.float().mean() < 1


def training_row(pair: Pair, images: Tensor, goal: float, repeats: int) -> dict:
    """Times forward, backward and SGD; the learning rate is 0, so that random weights stay as they are."""
    targets = random_targets(len(images), images.shape[-1], pair.joints, pair.masks)
    objects = [{"boxes": b, "labels": k + pair.first_label} for b, k in zip(targets.boxes, targets.labels, strict=True)]
    for each, keypoints in zip(objects, targets.keypoints if pair.joints else (), strict=False):
        each["keypoints"] = keypoints
    for each, masks in zip(objects, targets.masks if pair.masks else (), strict=False):
        each["masks"] = unpack(masks, images.shape[-1])
    floats = list(images / 255)
    ours = copy.deepcopy(pair.ours).to(memory_format=torch.channels_last).train()
    theirs = copy.deepcopy(pair.theirs).train()
    steps = {
        "ours": training_step(ours, lambda: ours.losses(images, targets)),
        "theirs": training_step(theirs, lambda: theirs(floats, objects)),
    }
    timings = time_in_turns(steps, repeats, warmup=1, device="cpu")
    return compare(f"{pair.name}, training step, batch {len(images)}", timings["ours"], timings["theirs"], goal)


def random_targets(batch: int, size: int, joints: int = 0, masks: bool = False) -> Targets:
    """Objects of three to forty hundredths of the image's side, with masks that fill them, or people with joints."""
    corner = size * 0.6 * torch.rand(batch, OBJECTS, 2)
    boxes = torch.cat([corner, corner + size * (0.03 + 0.37 * torch.rand(batch, OBJECTS, 2))], dim=-1)
    labels = torch.randint(0, 1 if joints else CLASSES, (batch, OBJECTS))
    targets = Targets(boxes, labels, torch.ones_like(labels, dtype=torch.bool))
    if joints:
        low, high = boxes[:, :, None].split(2, dim=-1)
        places = low + (high - low) * torch.rand(batch, OBJECTS, joints, 2)
        targets.keypoints = torch.cat([places, torch.full_like(places[..., :1], 2.0)], dim=-1)
    if masks:
        left, top, right, bottom = boxes[..., None].unbind(dim=2)
        places = torch.arange(size)
        across, down = (left <= places) & (places < right), (top <= places) & (places < bottom)
        targets.masks = pack(down[..., None] & across[..., None, :])
    return targets


def training_step(model: nn.Module, losses: Callable[[], dict[str, Tensor]]) -> Callable[[], None]:
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.0, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        optimizer.zero_grad()
        sum(losses().values()).backward()
        optimizer.step()

    return step


@torch.inference_mode()
def share_outside_products(call: Callable[[], object]) -> float:
    """The part of a call's time that is neither convolution nor matrix product."""
    call()
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        call()
    spent = {event.key: event.self_cpu_time_total for event in profiler.key_averages()}
    products = sum(time for name, time in spent.items() if any(word in name for word in PRODUCTS))
    return 1 - products / sum(spent.values())
