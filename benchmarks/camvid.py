"""Trains networks that classify pixels: ours through train.py, those of two libraries in a plain loop.

    python benchmarks/camvid.py [--seeds 1 2] [--epochs 8] [--image-size 192] [--data DATA] [--output FOLDER]

U-Net against that of segmentation-models-pytorch (`pip install segmentation-models-pytorch`), FCN-32s against
torchvision's FCN, all on MobileNet V2 with the same ImageNet weights. Both sides see the same frames of CamVid equally
often at one size and batch size, mirrored at random, and are scored over all pixels of all validation frames in their
own size. The plain loop is what a person would write: AdamW with one learning rate for all layers, warm-up and a
cosine; --rate is that of both sides. Seconds are those of training and of one validation at its end; set-up is outside.

DATA holds `camvid` and `weights/mobilenetv2_100_features.safetensors` (default: TRADEOFFS_REAL_DATA).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.transforms import v2
from torchvision.tv_tensors import Mask

PROJECT = Path(__file__).resolve().parents[1]
CLASSES = [
    "Sky",
    "Building",
    "Pole",
    "Road",
    "Pavement",
    "Tree",
    "SignSymbol",
    "Fence",
    "Car",
    "Pedestrian",
    "Bicyclist",
]
VOID = len(CLASSES)
BATCH = 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OURS = {"unet": ["model=unet", "upsampling=nearest"], "fcn": ["model=fcn", "model.stride=32"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=192)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--models", nargs="+", default=list(OURS))
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("TRADEOFFS_REAL_DATA", PROJECT.parent / "shared/data")
    )
    parser.add_argument("--output", type=Path, default=PROJECT / "runs" / "camvid")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with (arguments.output / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(
            file, ["model", "of", "seed", "epochs", "rate", "mean_iou", "pixel_accuracy", "seconds"]
        )
        writer.writeheader()
        for seed in arguments.seeds:
            for model in arguments.models:
                for contestant in (ours, theirs):
                    row = {"model": model, "of": contestant.__name__, "seed": seed, "epochs": arguments.epochs}
                    row |= {"rate": arguments.rate, **contestant(model, seed, arguments)}
                    writer.writerow(row)
                    file.flush()
                    print(row, flush=True)


def ours(model: str, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    name, data = f"{model}-seed{seed}", Path(arguments.data)
    settings = {
        "task": "semantic_segmentation",
        "backbone": "mobilenetv2",
        "backbone.weights": data / "weights" / "mobilenetv2_100_features.safetensors",
        "data": "segmentation_folder",
        "data.root": data / "camvid",
        "data.source.classes": f"[{','.join([*CLASSES, 'void'])}]",
        "data.source.ignore": f"[{VOID},255]",
        "image_size": arguments.image_size,
        "batch_size": BATCH,
        "epochs": arguments.epochs,
        "seed": seed,
        "optimizer.lr": arguments.rate,
        "augmentation": "flip",
        "channels_last": "true",
        "trainer.check_val_every_n_epoch": arguments.epochs,
        "runs": arguments.output,
        "name": name,
        "measure": "false",
        "overwrite": "true",
        "resume": "never",
    }
    command = [sys.executable, "train.py", *OURS[model], *(f"{key}={value}" for key, value in settings.items())]
    subprocess.run(command, check=True, cwd=PROJECT, stdout=subprocess.DEVNULL)
    record = json.loads((arguments.output / name / "result.json").read_text())
    summary = record["accuracy"]["summary"]
    return {**{key: summary[key] for key in ("mean_iou", "pixel_accuracy")}, "seconds": record["training"]["seconds"]}


def theirs(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, float]:
    torch.manual_seed(seed)
    folder, size = Path(arguments.data) / "camvid", arguments.image_size
    model = build(name, Path(arguments.data)).to(memory_format=torch.channels_last).train()
    loader = DataLoader(Frames(folder / "train", size), BATCH, shuffle=True, drop_last=True)
    steps = arguments.epochs * len(loader)
    optimizer = torch.optim.AdamW(model.parameters(), arguments.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, arguments.rate, steps, pct_start=0.05, cycle_momentum=False, div_factor=100
    )
    loss = nn.CrossEntropyLoss(ignore_index=VOID)
    began = time.perf_counter()
    for _ in range(arguments.epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            loss(scores_of(model, images), labels).backward()
            optimizer.step()
            schedule.step()
    scores = score(model.eval(), folder / "val", size)
    return {**scores, "seconds": time.perf_counter() - began}


def build(name: str, data: Path) -> nn.Module:
    weights = load_file(data / "weights" / "mobilenetv2_100_features.safetensors")
    if name == "unet":
        import segmentation_models_pytorch

        network = segmentation_models_pytorch.Unet("tu-mobilenetv2_100", encoder_weights=None, classes=len(CLASSES))
        encoder = network.encoder.model
    else:
        encoder = timm.create_model("mobilenetv2_100", features_only=True, out_indices=[4])
        network = FCN(Last(encoder), FCNHead(320, len(CLASSES)))
    missing, unknown = encoder.load_state_dict(weights, strict=False)
    assert not missing and all(key.startswith(("conv_head", "bn2")) for key in unknown), (missing, unknown)
    return network


class Last(nn.Module):
    """The coarsest map, as torchvision's FCN takes it."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        return {"out": self.encoder(images)[-1]}


def scores_of(model: nn.Module, images: Tensor) -> Tensor:
    output = model(images)
    return output["out"] if isinstance(output, dict) else output


class Frames(torch.utils.data.Dataset):
    """Frames and label maps as tensors of one size, mirrored at random; normalized as the weights want it."""

    def __init__(self, folder: Path, size: int):
        self.files, self.labels = sorted(folder.iterdir()), folder.with_name(f"{folder.name}annot")
        self.change = v2.Compose([v2.Resize((size, size), antialias=True), v2.RandomHorizontalFlip()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, labels = read(self.files[index], self.labels)
        image, labels = self.change(v2.functional.to_image(image), Mask(labels))
        return normalized(image), labels.as_subclass(Tensor).long()


def normalized(image: Tensor) -> Tensor:
    return v2.functional.normalize(image.as_subclass(Tensor).float() / 255, MEAN, STD)


def read(file: Path, labels: Path) -> tuple[Image.Image, np.ndarray]:
    return Image.open(file).convert("RGB"), np.array(Image.open(labels / f"{file.stem}.png"))


@torch.inference_mode()
def score(model: nn.Module, folder: Path, size: int) -> dict[str, float]:
    """Over all pixels that have a class, from one confusion matrix."""
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    change = v2.Resize((size, size), antialias=True)
    for file in sorted(folder.iterdir()):
        image, true = read(file, folder.with_name(f"{folder.name}annot"))
        pixels = normalized(change(v2.functional.to_image(image)))
        scores = nn.functional.interpolate(scores_of(model, pixels[None]), true.shape, mode="bilinear")
        found = scores[0].argmax(dim=0).numpy()
        known = true < VOID
        pairs = len(CLASSES) * true[known].astype(np.int64) + found[known]
        table += np.bincount(pairs, minlength=table.size).reshape(table.shape)
    right = table.diagonal()
    with np.errstate(invalid="ignore"):
        ious = right / (table.sum(0) + table.sum(1) - right)
    return {"mean_iou": float(np.nanmean(ious)), "pixel_accuracy": float(right.sum() / table.sum())}


if __name__ == "__main__":
    main()
