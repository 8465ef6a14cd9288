"""Boxes of what was found and of the truth, with their names, on one image."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from tradeoffs.ops.boxes import iou
from tradeoffs.pictures.plates import least_hiding
from tradeoffs.pictures.style import PALETTE, WHITE, Colour, font_of, letter_size, line_width, readable_on

SAME_OBJECT = 0.5  # intersection over union from which on a found box names the true one as well


class Mark(NamedTuple):
    """A box on the canvas; `text` stands on a plate beside it, if there is any."""

    box: tuple[float, float, float, float]
    text: str
    colour: Colour


def draw_boxes(
    image: UInt8[Tensor, "3 H W"],
    boxes: Float[Tensor, "n 4"],
    labels: Sequence[str],
    scores: Float[Tensor, " n"] | None = None,
    truth: Float[Tensor, "m 4"] | None = None,
    classes: Sequence[int] | None = None,
    scale: float = 1.0,
    truth_labels: Sequence[str] = (),
    truth_classes: Sequence[int] | None = None,
) -> UInt8[Tensor, "3 H2 W2"]:
    """The image `scale` times as large, with boxes, their names and scores.

    Lines have a black or white rim, so that they show on any ground. Names stand where they hide the least.

    Args:
        image: RGB.
        boxes: xyxy in pixels of the image.
        labels: The name of each box.
        scores: Written beside the names; boxes of higher score are drawn above others.
        truth: Boxes of the ground truth, drawn dashed; white where they have no names.
        classes: The class of each box, which chooses its colour; by default the name does.
        scale: Small images need more room, since letters have a least size.
        truth_labels: The name of each box of the truth, written only where no box of that name is at the same place.
        truth_classes: The class of each box of the truth, as `classes`.
    """
    canvas = _enlarged(image, scale)
    draw = ImageDraw.Draw(canvas)
    texts = labels if scores is None else [f"{label} {score:.2f}" for label, score in zip(labels, scores, strict=True)]
    order = range(len(labels)) if scores is None else scores.argsort(stable=True).tolist()
    found = _marks(boxes * scale, texts, _colours(labels, classes))
    true = []
    if truth is not None:
        colours = _colours(truth_labels, truth_classes) if truth_labels else [WHITE] * len(truth)
        true = _marks(truth * scale, _missed(truth, truth_labels, boxes, labels), colours)
    for mark in true:
        _dashed(draw, mark, canvas.size)
    for i in order:
        _solid(draw, found[i], canvas.size)
    _names(draw, [*(found[i] for i in reversed(order)), *true], canvas.size)
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()


def _enlarged(image: UInt8[Tensor, "3 H W"], scale: float) -> Image.Image:
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    if scale == 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _marks(boxes: Float[Tensor, "n 4"], texts: Sequence[str], colours: Sequence[Colour]) -> list[Mark]:
    """Untrained models find boxes that are inside out, which cannot be drawn: they get no side below 0."""
    ordered = torch.cat([boxes[:, :2], torch.maximum(boxes[:, :2], boxes[:, 2:])], dim=1).tolist()
    return [Mark(tuple(box), text, colour) for box, text, colour in zip(ordered, texts, colours, strict=True)]


def _missed(
    truth: Float[Tensor, "m 4"], names: Sequence[str], boxes: Float[Tensor, "n 4"], labels: Sequence[str]
) -> list[str]:
    """The names of the true boxes, empty where a box of the same name is at the same place, or there are no names."""
    if not names:
        return [""] * len(truth)
    same = torch.tensor([[name == label for label in labels] for name in names], dtype=torch.bool).view(len(names), -1)
    named = ((iou(truth.float(), boxes.float()) >= SAME_OBJECT) & same).any(dim=1).tolist()
    return ["" if found else name for name, found in zip(names, named, strict=True)]


def _colours(labels: Sequence[str], classes: Sequence[int] | None) -> list[Colour]:
    """By default a name has the same one in every picture and every process."""
    numbers = [zlib.crc32(label.encode()) for label in labels] if classes is None else classes
    return [PALETTE[number % len(PALETTE)] for number in numbers]


def _solid(draw: ImageDraw.ImageDraw, mark: Mark, size: tuple[int, int]) -> None:
    x1, y1, x2, y2 = mark.box
    width = _width(mark, size)
    rim = max(1, width // 3)
    draw.rectangle((x1 - rim, y1 - rim, x2 + rim, y2 + rim), outline=readable_on(mark.colour), width=width + 2 * rim)
    draw.rectangle(mark.box, outline=mark.colour, width=width)


def _dashed(draw: ImageDraw.ImageDraw, mark: Mark, size: tuple[int, int]) -> None:
    """Dashes over a line of black or white, whichever differs more."""
    x1, y1, x2, y2 = mark.box
    width = max(1, _width(mark, size) * 2 // 3)
    dash = 4 * width + 2
    draw.rectangle(mark.box, outline=readable_on(mark.colour), width=width)
    for start in np.arange(x1, x2, 2 * dash):
        end = min(start + dash, x2)
        draw.line((start, y1, end, y1), fill=mark.colour, width=width)
        draw.line((start, y2, end, y2), fill=mark.colour, width=width)
    for start in np.arange(y1, y2, 2 * dash):
        end = min(start + dash, y2)
        draw.line((x1, start, x1, end), fill=mark.colour, width=width)
        draw.line((x2, start, x2, end), fill=mark.colour, width=width)


def _width(mark: Mark, size: tuple[int, int]) -> int:
    """Lines that fit the picture, but leave something to see of small objects."""
    x1, y1, x2, y2 = mark.box
    return min(line_width(size), max(1, round(min(x2 - x1, y2 - y1) / 8)))


def _names(draw: ImageDraw.ImageDraw, marks: Sequence[Mark], size: tuple[int, int]) -> None:
    """On plates of the boxes' colours; the first choose their place first, and lie above others."""
    font = font_of(letter_size(size))
    pad = max(1, font.size // 6)
    named = [mark for mark in marks if mark.text]
    texts = [_fitting(draw, mark.text, size[0] - 2 * pad, font) for mark in named]
    plates = np.array([[draw.textlength(text, font=font) + 2 * pad, font.size + 2 * pad] for text in texts])
    own = np.array([mark.box for mark in named])
    objects = np.array([mark.box for mark in marks]).reshape(-1, 4)
    places = least_hiding(own.reshape(-1, 4), plates.reshape(-1, 2).round(), objects, size)
    for mark, text, place in reversed(list(zip(named, texts, places.tolist(), strict=True))):
        left, top, right, bottom = place
        draw.rectangle((left, top, right - 1, bottom - 1), fill=mark.colour)
        draw.text((left + pad, (top + bottom) / 2), text, font=font, fill=readable_on(mark.colour), anchor="lm")


def _fitting(draw: ImageDraw.ImageDraw, text: str, width: int, font) -> str:
    """Shortened in front, where it is wider: the end, a score, stays."""
    while len(text) > 1 and draw.textlength(text, font=font) > width:
        text = text[1:]
    return text
