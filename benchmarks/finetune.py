"""Fine-tunes SSD-MobileNet on real photos: ours through train.py, torchvision's SSD class in a plain loop.

    python benchmarks/finetune.py [--seeds 1 2 3] [--epochs 20] [--image-size 160] [--data DATA]

Both start from the same ImageNet weights, see the same images equally often at one size and batch size, have the same
extra layers and default boxes of the same scales, mirror images at random, and are scored by the same metric. The
plain loop is what a person would write: AdamW with one learning rate for all layers, warm-up and a cosine. Its rate is
the better one of two that were tried on BCCD with one seed (2e-3: AP50 0.585, 1e-3: 0.550). Seconds are those of
training and of one validation at its end; set-up is outside.

DATA holds `bccd`, `penn_fudan` and `weights/mobilenetv1_100.safetensors` (default: TRADEOFFS_REAL_DATA).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD as TorchvisionSSD
from torchvision.transforms import v2
from torchvision.tv_tensors import BoundingBoxes

from tradeoffs.backbones.mobilenet import mobilenet
from tradeoffs.data.coco import CocoDataset
from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.models.detection.ssd_necks import ExtraLayers
from tradeoffs.structures import Detections

PROJECT = Path(__file__).resolve().parents[1]
SETS = {"bccd": "voc", "penn_fudan": "masks"}  # name -> converter
BATCH = 16
WORKERS = 2  # of the plain loop, whose transforms are slow; ours needs none on two cores
LEARNING_RATE = 2e-3  # of the plain loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--image-size", type=int, default=160)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("TRADEOFFS_REAL_DATA", PROJECT.parent / "shared/data")
    )
    parser.add_argument("--output", type=Path, default=PROJECT / "runs" / "finetune")
    arguments = parser.parse_args()
    weights = Path(arguments.data) / "weights" / "mobilenetv1_100.safetensors"
    rows = []
    for name in SETS:
        root = convert(name, Path(arguments.data), arguments.output)
        for seed in arguments.seeds:
            for contestant in (ours, theirs):
                row = contestant(root, weights, seed, arguments)
                rows.append({"data": name, "model": contestant.__name__, "seed": seed, **row})
                print(rows[-1], flush=True)
    with (arguments.output / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print_summary(rows)


def convert(name: str, data: Path, output: Path) -> Path:
    root = output / name
    if not root.exists():
        command = [sys.executable, "-m", "tradeoffs.data.convert", SETS[name], str(data / name), str(root)]
        subprocess.run(command, check=True)
    return root


def ours(root: Path, weights: Path, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    name = f"{root.name}-seed{seed}"
    command = [
        *(sys.executable, "train.py", "data=coco_folder", f"data.root={root}", f"backbone.weights={weights}"),
        *(
            "augmentation=flip",
            f"seed={seed}",
            f"epochs={arguments.epochs}",
            f"image_size={arguments.image_size}",
            f"batch_size={BATCH}",
        ),
        *(f"runs={arguments.output}", f"name={name}", "measure=false", "overwrite=true", "resume=never"),
        f"trainer.check_val_every_n_epoch={arguments.epochs}",
    ]
    subprocess.run(command, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
    record = json.loads((arguments.output / name / "result.json").read_text())
    summary, training = record["accuracy"]["summary"], record["training"]
    return {"mAP": summary["mAP"], "AP50": summary["AP50"], "seconds": training["seconds"]}


def theirs(root: Path, weights: Path, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(seed)
    train, val = (CocoDataset(root / "images", root / "annotations" / f"{split}.json") for split in ("train", "val"))
    model = build_torchvision(weights, len(train.category_ids), arguments.image_size).train()
    loader = DataLoader(
        *(Mirrored(train), BATCH),
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
        collate_fn=lambda rows: tuple(zip(*rows, strict=True)),
    )
    steps = arguments.epochs * len(loader)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, steps, pct_start=0.05, cycle_momentum=False, div_factor=100
    )
    began = time.perf_counter()
    for _ in range(arguments.epochs):
        for images, targets in loader:
            optimizer.zero_grad()
            sum(model(list(images), list(targets)).values()).backward()
            optimizer.step()
            schedule.step()
    scores = score(model.eval(), val)
    return {**scores, "seconds": time.perf_counter() - began}


class Features(nn.Module):
    """The same network as ours, with the input (0..1, not normalized) and output that torchvision's SSD has."""

    def __init__(self, weights: Path):
        super().__init__()
        self.backbone = mobilenet(weights=str(weights))
        self.neck = ExtraLayers(self.backbone, sources=[16, 32], extra_channels=[512, 256, 256, 128])
        self.out_channels = self.neck.channels

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict((str(i), feature) for i, feature in enumerate(self.neck(self.backbone(255 * x))))


def build_torchvision(weights: Path, num_classes: int, size: int) -> TorchvisionSSD:
    boxes = DefaultBoxGenerator([[2, 3]] * 6, min_ratio=0.2, max_ratio=0.95)
    as_it_is = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    return TorchvisionSSD(Features(weights), boxes, (size, size), num_classes + 1, **as_it_is)


class Mirrored(torch.utils.data.Dataset):
    """Photos and boxes as torchvision's detectors take them, mirrored at random."""

    def __init__(self, dataset: CocoDataset):
        self.dataset = dataset
        self.augment = v2.Compose([v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, scale=True)])

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        image, objects = self.dataset.read_image(index), self.dataset.objects(index)
        boxes = BoundingBoxes(objects.boxes[~objects.crowd], format="XYXY", canvas_size=image.shape[-2:])
        image, target = self.augment(image, {"boxes": boxes, "labels": objects.labels[~objects.crowd] + 1})
        return image, target


def score(model: nn.Module, val: CocoDataset) -> dict[str, float]:
    metric = CocoMetric(val.ground_truth(), val.category_ids)
    for index in range(len(val)):
        with torch.inference_mode():
            (found,) = model([val.read_image(index) / 255])
        detections = Detections(
            boxes=found["boxes"][None],
            scores=found["scores"][None],
            labels=found["labels"][None] - 1,
            valid=torch.ones_like(found["labels"], dtype=torch.bool)[None],
        )
        metric.update(torch.tensor([val.image_ids[index]]), detections)
    summary = metric.compute(errors=False).summary
    return {"mAP": summary["mAP"], "AP50": summary["AP50"]}


def print_summary(rows: list[dict]) -> None:
    for data in SETS:
        for model in ("ours", "theirs"):
            chosen = [row for row in rows if (row["data"], row["model"]) == (data, model)]
            cells = []
            for key in ("mAP", "AP50", "seconds"):
                values = [row[key] for row in chosen]
                spread = stdev(values) if len(values) > 1 else 0.0
                cells.append(f"{key} {mean(values):.3f} ± {spread:.3f}")
            print(f"{data:10} {model:6} {'  '.join(cells)}")


if __name__ == "__main__":
    main()
