"""Boxes with names and scores, drawn onto images, and many images on one sheet. Pure functions."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

# Okabe and Ito 2008 without black, which vanishes in shadows, then their darker or lighter kin (Tol's "muted").
PALETTE = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (136, 34, 85),
    (153, 153, 51),
    (221, 204, 119),
    (68, 170, 153),
    (170, 68, 153),
)
WHITE = (255, 255, 255)
BLACK = (0, 0, 0)


def draw_boxes(
    image: UInt8[Tensor, "3 H W"],
    boxes: Float[Tensor, "n 4"],
    labels: Sequence[str],
    scores: Float[Tensor, " n"] | None = None,
    truth: Float[Tensor, "m 4"] | None = None,
    classes: Sequence[int] | None = None,
    scale: float = 1.0,
) -> UInt8[Tensor, "3 H2 W2"]:
    """The image `scale` times as large, with boxes, their names and scores.

    Args:
        image: RGB.
        boxes: xyxy in pixels of the image.
        labels: The name of each box.
        scores: Written beside the names; boxes of higher score are drawn above others.
        truth: Boxes of the ground truth, drawn thin, dashed and white.
        classes: The class of each box, which chooses its colour; by default the name does.
        scale: Small images need more room, since letters have a least size.
    """
    canvas = _enlarged(image, scale)
    draw = ImageDraw.Draw(canvas)
    for box in [] if truth is None else (truth * scale).tolist():
        _dashed(draw, box, max(1, round(max(canvas.size) / 600)))
    order = range(len(labels)) if scores is None else scores.argsort(stable=True).tolist()
    colours = [_colour(label) for label in labels] if classes is None else [PALETTE[c % len(PALETTE)] for c in classes]
    corners = (boxes * scale).tolist()
    for i in order:
        draw.rectangle(_ordered(corners[i]), outline=colours[i], width=line_width(canvas.size))
    for i in order:  # names above all boxes, so that none crosses them
        text = labels[i] if scores is None else f"{labels[i]} {scores[i]:.2f}"
        _name(draw, text, corners[i], colours[i], canvas.size)
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()


def contact_sheet(
    images: Sequence[UInt8[Tensor, "3 _h _w"]], columns: int = 4, gap: int = 8, caption: str = ""
) -> UInt8[Tensor, "3 H W"]:
    """Images in rows of `columns`, each centred in a cell as large as the largest, on white; the caption below."""
    height = max(image.shape[1] for image in images)
    width = max(image.shape[2] for image in images)
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = torch.full((3, rows * (height + gap) + gap, columns * (width + gap) + gap), 255, dtype=torch.uint8)
    for i, image in enumerate(images):
        _, h, w = image.shape
        top = gap + (i // columns) * (height + gap) + (height - h) // 2
        left = gap + (i % columns) * (width + gap) + (width - w) // 2
        sheet[:, top : top + h, left : left + w] = image
    return torch.cat([sheet, _line_of_text(caption, sheet.shape[2], gap)], dim=1) if caption else sheet


def _line_of_text(text: str, width: int, margin: int) -> UInt8[Tensor, "3 _h _w"]:
    font = _font(20)
    line = Image.new("RGB", (width, font.size + 2 * margin), WHITE)
    ImageDraw.Draw(line).text((margin, line.height / 2), text, font=font, fill=BLACK, anchor="lm")
    return torch.from_numpy(np.array(line)).permute(2, 0, 1).contiguous()


def line_width(size: tuple[int, int]) -> int:
    return max(2, round(max(size) / 160))


def _enlarged(image: UInt8[Tensor, "3 H W"], scale: float) -> Image.Image:
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    if scale == 1:
        return picture
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.LANCZOS)


def _name(
    draw: ImageDraw.ImageDraw, text: str, box: list[float], colour: tuple[int, int, int], size: tuple[int, int]
) -> None:
    """On a plate of the box's colour above its upper left corner, or inside where there is no room above."""
    font = _font(max(12, round(max(size) / 38)))
    pad = 2
    width = round(draw.textlength(text, font=font)) + 2 * pad
    height = font.size + 2 * pad
    left = max(0, min(round(box[0]), size[0] - width))
    top = round(box[1]) - height + 1
    if top < 0:
        top = min(max(0, round(box[1])), size[1] - height)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=colour)
    draw.text((left + pad, top + height / 2), text, font=font, fill=_readable_on(colour), anchor="lm")


def _dashed(draw: ImageDraw.ImageDraw, box: list[float], width: int) -> None:
    """White dashes over a black line, so that they show on any ground."""
    x1, y1, x2, y2 = _ordered(box)
    dash = 4 * width + 2
    draw.rectangle((x1, y1, x2, y2), outline=BLACK, width=width)
    for start in np.arange(x1, x2, 2 * dash):
        end = min(start + dash, x2)
        draw.line((start, y1, end, y1), fill=WHITE, width=width)
        draw.line((start, y2, end, y2), fill=WHITE, width=width)
    for start in np.arange(y1, y2, 2 * dash):
        end = min(start + dash, y2)
        draw.line((x1, start, x1, end), fill=WHITE, width=width)
        draw.line((x2, start, x2, end), fill=WHITE, width=width)


def _ordered(box: list[float]) -> tuple[float, float, float, float]:
    """Untrained models find boxes that are inside out, which cannot be drawn."""
    x1, y1, x2, y2 = box
    return x1, y1, max(x1, x2), max(y1, y2)


def _colour(label: str) -> tuple[int, int, int]:
    """The same for a name in every picture and every process."""
    return PALETTE[zlib.crc32(label.encode()) % len(PALETTE)]


def _readable_on(colour: tuple[int, int, int]) -> tuple[int, int, int]:
    """Black or white, by the luma of the ground (ITU-R BT.601)."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else WHITE


@lru_cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
