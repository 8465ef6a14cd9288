"""A small data set in COCO format that all tests of the pipeline read."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tradeoffs.data.coco import CocoDataset

BOX = [8, 4, 12, 10]  # x, y, width, height of the one object of every image but the first, which has none
LEFT_EYE, RIGHT_EYE = (11, 7), (17, 7)


def write_tiny_coco(folder: Path, num_images: int) -> Path:
    """Images of 32 x 24 random pixels with a dark rectangle; each also has a crowd region of the other class."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    left, top, width, height = BOX
    for number in range(num_images):
        pixels = rng.integers(128, 256, size=(24, 32, 3), dtype=np.uint8)
        name = f"{number}.png"
        images.append({"id": 100 + number, "file_name": name, "height": 24, "width": 32})
        if number:
            pixels[top : top + height, left : left + width] = 0
            corners = [left, top, left + width, top, left + width, top + height, left, top + height]
            shared = {"image_id": 100 + number, "segmentation": [corners], "area": width * height}
            keypoints = [*LEFT_EYE, 2, *RIGHT_EYE, 1]
            annotations += [
                {"id": 2 * number, "category_id": 7, "bbox": BOX, "iscrowd": 0, "keypoints": keypoints, **shared},
                {"id": 2 * number + 1, "category_id": 3, "bbox": [0, 0, 32, 24], "iscrowd": 1, **shared},
            ]
        Image.fromarray(pixels).save(folder / name)
    categories = [{"id": 3, "name": "heap"}, {"id": 7, "name": "face", "keypoints": ["left_eye", "right_eye"]}]
    file = folder / "annotations.json"
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return file


@pytest.fixture
def own_coco_file(tmp_path: Path) -> Path:
    """A smaller one, to be spoilt."""
    return write_tiny_coco(tmp_path, num_images=4)


@pytest.fixture(scope="session")
def tiny_coco_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The annotation file; the images lie beside it."""
    return write_tiny_coco(tmp_path_factory.mktemp("tiny_coco"), num_images=11)


@pytest.fixture(scope="session")
def tiny_coco(tiny_coco_file: Path) -> CocoDataset:
    return CocoDataset(tiny_coco_file.parent, tiny_coco_file)
