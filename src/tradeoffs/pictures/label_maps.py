"""The classes of pixels, laid over an image in colours, with a legend; and as index pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw
from torch import Tensor
from torchvision.transforms.v2.functional import rgb_to_grayscale

from tradeoffs.pictures.style import BLACK, PALETTE, WHITE, Colour, font_of
from tradeoffs.structures import IGNORED

OPACITY = 0.6  # of the colours: what lies below is still seen, in grey, or its own colours would be mixed in
GAP = 6  # pixels between two maps
SMALLEST_LETTERS, LETTERS_ON_A_LINE = 14, 50
DARKER = 0.6  # each further time that the colours are used
SMALLEST_PART = 0.001  # of the pixels, from which on a class stands in the legend


def draw_label_map(
    image: UInt8[Tensor, "3 H W"],
    labels: Sequence[UInt8[Tensor, "_h _w"]],
    names: Sequence[str],
    background: int | None = None,
) -> UInt8[Tensor, "3 H2 W2"]:
    """The image in grey once for each label map, side by side, with its classes in colours, and a legend below.

    Label maps may be of another size than the image. `background` and ignored pixels have no colour.
    """
    height, width = image.shape[1:]
    maps = [_resized(each, width, height) for each in labels]
    photo = rgb_to_grayscale(image, num_output_channels=3).permute(1, 2, 0).numpy()
    painted = [_blended(photo, each, background, len(names)) for each in maps]
    gap = np.full((height, GAP, 3), 255, np.uint8)
    laid = np.concatenate([part for each in painted for part in (gap, each)][1:], axis=1)
    shown = _in_legend(maps, background)
    legend = _legend([names[label] for label in shown], [colour_of(label) for label in shown], laid.shape[1])
    return torch.from_numpy(np.concatenate([laid, legend])).permute(2, 0, 1).contiguous()


def colour_of(label: int) -> Colour:
    """Of a class, the same in every picture."""
    turn, place = divmod(label, len(PALETTE))
    red, green, blue = (round(value * DARKER**turn) for value in PALETTE[place])
    return red, green, blue


def save_index_picture(values: UInt8[Tensor, "H W"], colours: dict[int, Colour], path: Path) -> None:
    """A PNG whose pixels are `values`; viewers show it in the values' `colours`, others black."""
    picture = Image.fromarray(values.numpy(), "P")
    palette = np.zeros((256, 3), np.uint8)
    palette[IGNORED] = WHITE
    for value, colour in colours.items():
        palette[value] = colour
    picture.putpalette(palette.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


def _resized(labels: UInt8[Tensor, "_h _w"], width: int, height: int) -> ndarray:
    return np.array(Image.fromarray(labels.cpu().numpy()).resize((width, height), Image.Resampling.NEAREST))


def _blended(photo: ndarray, labels: ndarray, background: int | None, num_classes: int) -> ndarray:
    colours = np.array([colour_of(label) for label in range(num_classes)], np.float32)
    covered = (labels < num_classes) & (labels != (-1 if background is None else background))
    painted = colours[labels.clip(max=num_classes - 1)]
    return np.where(covered[..., None], photo * (1 - OPACITY) + painted * OPACITY, photo).round().astype(np.uint8)


def _in_legend(maps: Sequence[ndarray], background: int | None) -> list[int]:
    """Those that can be seen, the largest first."""
    counts = np.bincount(np.concatenate([each.ravel() for each in maps]), minlength=IGNORED + 1)
    order = np.argsort(-counts, kind="stable").tolist()
    total = counts.sum()
    return [each for each in order if each not in (background, IGNORED) and counts[each] >= SMALLEST_PART * total]


def _legend(names: Sequence[str], colours: Sequence[Colour], width: int) -> UInt8[ndarray, "_h _w 3"]:
    """In as many lines as it needs."""
    font = font_of(max(SMALLEST_LETTERS, width // LETTERS_ON_A_LINE))
    side, gap = font.size, max(4, font.size // 2)
    line = side + gap
    lengths = [side + gap // 2 + round(font.getlength(name)) + gap for name in names]
    places, left, top = [], gap, gap // 2
    for length in lengths:
        if left + length > width and left > gap:
            left, top = gap, top + line
        places.append((left, top))
        left += length
    canvas = Image.new("RGB", (width, top + line if names else 0), WHITE)
    draw = ImageDraw.Draw(canvas)
    for name, colour, (x, y) in zip(names, colours, places, strict=True):
        draw.rectangle((x, y, x + side, y + side), fill=colour)
        draw.text((x + side + gap // 2, y + side / 2), name, font=font, fill=BLACK, anchor="lm")
    return np.array(canvas).reshape(-1, width, 3)
