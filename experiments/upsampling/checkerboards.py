"""How much a grid of period 2 shows in the scores of trained networks: their figure and a number for each.

python experiments/upsampling/checkerboards.py runs/upsampling OUTPUT.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2.functional import resize

import tradeoffs
from tradeoffs.data.image_file import read_image
from tradeoffs.files import CONF

SIDE, IMAGES, SHOWN = 64, 64, 256
FILES = {file.stem for file in (CONF / "upsampling").glob("*.yaml")}


def photos(run: Path) -> list[Path]:
    data = sorted(Path("data").glob("shapes-*-1500-400/val"))
    return sorted(data[0].iterdir())[:IMAGES]


def scores(run: Path, files: list[Path]) -> Tensor:
    """Logits of each image, `N K 64 64`."""
    network = tradeoffs.load(run, device="cpu").network.eval()
    images = [resize(read_image(file), [SIDE, SIDE], antialias=True) for file in files]
    with torch.no_grad():
        return network(torch.stack(images)).logits


def strength(logits: Tensor) -> float:
    """The part of the scores' power, in millionths, at the three frequencies of a grid of period 2."""
    power = torch.fft.fft2(logits - logits.mean(dim=(-2, -1), keepdim=True)).abs().square().mean(dim=(0, 1))
    half = SIDE // 2
    return float(1e6 * (power[half, half] + power[half, 0] + power[0, half]) / power.sum())


def main(folder: Path, output: Path) -> None:
    runs = sorted(path for path in folder.iterdir() if "seed=1" in path.name)
    files, tiles = photos(runs[0]), []
    for run in runs:
        name = next(name for name in sorted(FILES, key=len, reverse=True) if f"upsampling={name}" in run.name)
        logits = scores(run, files)
        print(f"{name:<18} {strength(logits):8.1f}")
        best = logits[0, logits[0].amax(dim=(1, 2)).argmax()]
        grey = ((best - best.min()) / (best.max() - best.min()) * 255).byte().numpy()
        tile = Image.fromarray(grey).resize((SHOWN, SHOWN), Image.NEAREST)
        ImageDraw.Draw(tile).text((6, 4), name, fill=255, stroke_width=2, stroke_fill=0)
        tiles.append(np.asarray(tile))
    Image.fromarray(np.concatenate(tiles, axis=1)).save(output)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
