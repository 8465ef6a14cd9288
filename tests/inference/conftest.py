"""A network that answers at once, and a short video."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from tradeoffs.data.resize import Resize
from tradeoffs.inference.predictor import Predictor
from tradeoffs.structures import Detections


class Brightest(nn.Module):
    """Finds two boxes in each image: the left half, as sure as the image is bright, and with 0.1 the whole."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[int] = []

    def predict(self, images: torch.Tensor) -> Detections:
        self.seen.append(len(images))
        count, _, height, width = images.shape
        boxes = torch.tensor([[0.0, 0, width / 2, height], [0, 0, width, height]]).expand(count, 2, 4)
        bright = images.float().mean(dim=(1, 2, 3)) / 255
        scores = torch.stack([bright, torch.full_like(bright, 0.1)], dim=1)
        labels = torch.tensor([[1, 0]]).expand(count, 2)
        return Detections(boxes, scores, labels, torch.ones(count, 2, dtype=torch.bool))


@pytest.fixture
def model() -> Predictor:
    return Predictor(Brightest(), Resize("warp", 16), ["dark", "bright"], [3, 10], batch_size=4)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Ten frames of 40 x 30 at 5 a second, from black to white."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 5.0, (40, 30))
    for number in range(10):
        writer.write(np.full((30, 40, 3), 25 * number, dtype=np.uint8))
    writer.release()
    return path
