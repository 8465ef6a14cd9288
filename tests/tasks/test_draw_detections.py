"""What is drawn of detections while a detector learns."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Sample, collate, unlabelled
from tradeoffs.metrics.curves import BestF1
from tradeoffs.structures import Batch, Detections
from tradeoffs.tasks import detection as module
from tradeoffs.tasks.detection import DetectionTask, draw_detections
from tradeoffs.training.pictures import photo_of

TILE = 480


def without_objects(image: torch.Tensor, resize: Resize) -> Sample:
    return replace(unlabelled(image, resize), boxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.int64))


def found_in(batch: Batch, boxes: torch.Tensor, valid: torch.Tensor) -> Detections:
    """One box of class 1 in each image, with a score of 0.9."""
    count = len(batch)
    return Detections(boxes, torch.full((count, 1), 0.9), torch.ones(count, 1, dtype=torch.int64), valid)


@pytest.mark.parametrize(
    ("best", "drawn", "said"),
    [
        (BestF1(0.95, 1, 1, 1), False, "boxes with a score of 0.95 or more (best F1);"),
        (BestF1(0.412, 1, 1, 1), True, "boxes with a score of 0.41 or more (best F1);"),
        (None, True, "boxes with a score of 0.3 or more;"),
    ],
)
def test_boxes_are_drawn_from_the_best_score_on(monkeypatch, best, drawn, said):
    task, numbers = DetectionTask(nn.Identity()), []
    task.metric = SimpleNamespace(quick_best_f1=lambda: best)
    task._trainer = SimpleNamespace(datamodule=SimpleNamespace(class_names=["a", "b"]))
    draw = module.draw_boxes
    monkeypatch.setattr(
        module, "draw_boxes", lambda *given, **more: numbers.append(len(given[1])) or draw(*given, **more)
    )
    batch = collate([without_objects(torch.zeros(3, 60, 80, dtype=torch.uint8), Resize("warp", 64))])
    found = found_in(batch, torch.tensor([[[4.0, 4, 30, 30]]]), torch.tensor([[True]]))
    pictures, caption = task.draw([(batch, found)] * 3, TILE)
    assert len(pictures) == 3 and numbers == [int(drawn)] * 3 and said in caption


@pytest.mark.parametrize("mode", ["warp", "letterbox", "shorter_edge"])
def test_a_photo_keeps_its_shape_and_boxes_their_place(mode):
    """A black square on white, beside a larger photo of another shape in the same batch."""
    photo = torch.full((3, 60, 180), 255, dtype=torch.uint8)
    photo[:, 15:45, 105:135] = 0
    resize = Resize(mode, 120)
    batch = collate([without_objects(image, resize) for image in (photo, photo.mT)], resize.multiple)
    seen, scale = photo_of(batch, 0, TILE)
    assert seen.shape == (3, TILE // 3, TILE) and scale == TILE / 180
    dark = (seen[0] < 128).nonzero()
    assert torch.allclose(dark.float().aminmax(dim=0)[0], torch.tensor([15, 105]) * scale, atol=4)
    assert torch.allclose(dark.float().aminmax(dim=0)[1], torch.tensor([45, 135]) * scale, atol=4)
    scales, offsets = batch.geometry[0].split(2)
    boxes = (torch.tensor([[105.0, 15.0], [135.0, 45.0]]) * scales + offsets).view(1, 1, 4).expand(2, 1, 4)
    found = found_in(batch, boxes, torch.tensor([[True], [False]]))
    drawn, empty = draw_detections(batch, found, ["a", "b"], 0.3, TILE)
    assert drawn.shape == seen.shape and torch.equal(empty, photo_of(batch, 1, TILE)[0])
    changed = (drawn != seen).any(dim=0)
    line = changed.sum(dim=1).argmax()  # the longest: above or below, at its edge
    assert min(abs(int(line) - 15 * scale), abs(int(line) - 45 * scale)) <= 4
