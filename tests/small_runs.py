"""A data set and settings so small that a whole run of the train command takes a second or two."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from PIL import Image

from tradeoffs.settings.compose import compose

JOINTS = ["left_top", "right_top", "right_bottom", "left_bottom"]  # corners of what is bright
CATEGORIES = [  # ids with a gap
    {"id": 3, "name": "bright", "keypoints": JOINTS, "skeleton": [[1, 2], [2, 3], [3, 4], [4, 1]]},
    {"id": 10, "name": "dark"},
]
UNSEEN = {"id": 20, "name": "unseen"}  # never occurs
SHADES = {3: 235, 10: 20}
NUM_TRAIN, NUM_VAL = 12, 5

SETTINGS = (
    *("data=coco_folder", "backbone=timm", "backbone.name=test_resnet", "model.neck.extra_channels=[32,32,32,32]"),
    *("image_size=64", "batch_size=4", "epochs=2", "workers=0", "measure=false", "trainer=cpu"),
    *("trainer.log_every_n_steps=1", "model.score_threshold=0", "model.max_detections=50", "optimizer.lr=0.01"),
)


def write_data(root: Path, categories: Sequence[dict] = CATEGORIES) -> Path:
    """Both splits in the usual places below `root`."""
    write_split(root, "train", NUM_TRAIN, seed=1, categories=categories)
    write_split(root, "val", NUM_VAL, seed=2, categories=categories)
    return root


def write_split(root: Path, split: str, num_images: int, seed: int, categories: Sequence[dict] = CATEGORIES) -> None:
    """Noise with one or two rectangles per image, bright or dark; `categories` is what the file says there is."""
    rng = np.random.default_rng(seed)
    images, annotations = [], []
    (root / split).mkdir(parents=True)
    for number in range(1, num_images + 1):
        height, width = 64, 64 + 16 * (number % 3)
        pixels = rng.integers(96, 160, size=(height, width, 3), dtype=np.uint8)
        for left in (2, 34)[: 1 + number % 2]:
            category = int(rng.choice([3, 10]))
            top, box_width, box_height = rng.integers([2, 20, 20], [34, 30, 30]).tolist()
            pixels[top : top + box_height, left : left + box_width] = SHADES[category]
            right, bottom = left + box_width, top + box_height
            place = {"bbox": [left, top, box_width, box_height], "area": box_width * box_height, "iscrowd": 0}
            if category == 3:
                place["keypoints"] = [left, top, 2, right, top, 2, right, bottom, 2, left, bottom, 2]
            ids = {"id": len(annotations) + 1, "image_id": 10 * number, "category_id": category}
            outline = [left, top, right, top, right, bottom, left, bottom]
            annotations.append({**ids, **place, "segmentation": [outline]})
        Image.fromarray(pixels).save(root / split / f"{number}.png")
        images.append({"id": 10 * number, "file_name": f"{number}.png", "width": width, "height": height})
    file = annotation_file(root, split)
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))


def annotation_file(root: Path, split: str) -> Path:
    return root / "annotations" / f"{split}.json"


def words(data: Path, folder: Path, *changes: str) -> list[str]:
    """The command line of a small run in `folder`. A change replaces the setting, and what was set in that choice."""
    changed = [word.partition("=")[0] for word in changes]
    kept = [word for word in SETTINGS if not any(f"{word}.".startswith((f"{key}=", f"{key}.")) for key in changed)]
    return [*kept, f"data.root={data}", f"runs={folder.parent}", f"name={folder.name}", *changes]


def settings(data: Path, folder: Path, *changes: str) -> DictConfig:
    return compose("train", words(data, folder, *changes))


def run(data: Path, folder: Path, *changes: str) -> float:
    """Trains in this process; returns the mAP."""
    from tradeoffs.commands import report
    from tradeoffs.commands.train import train

    report.MEASURING_SECONDS = 0  # few repetitions
    return train(settings(data, folder, *changes))


def curves(folder: Path, without: tuple[str, ...] = ("images_per_second",)) -> list[dict[str, str]]:
    """The rows of metrics.csv, less what differs from run to run."""
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: value for key, value in row.items() if key not in without} for row in csv.DictReader(file)]


def checkpoint(folder: Path, name: str) -> dict:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Each file's time of change and content."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}
