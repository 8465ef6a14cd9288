"""Joints and limbs of people, drawn onto an image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from tradeoffs.ops.keypoints import side_of
from tradeoffs.pictures.style import BLACK, PALETTE, WHITE, Colour, line_width
from tradeoffs.structures import Skeleton

LEAST_PEAK = 0.2  # of a joint's heatmap, from which on the joint is drawn
LEAST_PROBABILITY = 0.05  # the same where the score is that of one pixel among all of a map, as Detectron2 draws them
LEFT, RIGHT, MIDDLE = PALETTE[0], PALETTE[1], WHITE  # so that a swapped pair is seen


def draw_skeletons(
    image: UInt8[Tensor, "3 H W"],
    keypoints: Float[Tensor, "P J 3"],
    skeleton: Skeleton,
    scale: float = 1.0,
    least: float = 0.0,
) -> UInt8[Tensor, "3 H2 W2"]:
    """The image `scale` times as large with the people's joints: the left ones orange, the right ones blue.

    Joints whose third number, visibility or score, is not above `least` are left out, and their limbs with them.
    """
    height, width = (max(1, round(side * scale)) for side in image.shape[1:])
    photo = Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy())
    canvas = photo.resize((width, height), Image.Resampling.LANCZOS) if scale != 1 else photo
    draw = ImageDraw.Draw(canvas)
    colours = [colour_of(name) for name in skeleton.names]
    for joints in keypoints.tolist():
        places = [(x * scale, y * scale) if sure > least else None for x, y, sure in joints]
        _draw_person(draw, places, colours, skeleton.edges, line_width(canvas.size))
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()


def colour_of(name: str) -> Colour:
    side = side_of(name)
    return MIDDLE if side is None else LEFT if side[0] == "left" else RIGHT


def _draw_person(
    draw: ImageDraw.ImageDraw,
    places: Sequence[tuple[float, float] | None],
    colours: Sequence[Colour],
    edges: Sequence[tuple[int, int]],
    width: int,
) -> None:
    """Lines with a black rim, then joints; a limb from one side to the other is white."""
    limbs = [(start, end) for start, end in edges if places[start] and places[end]]
    for start, end in limbs:
        draw.line((places[start], places[end]), fill=BLACK, width=width + 2)
    for start, end in limbs:
        sides = {colours[start], colours[end]} - {MIDDLE}
        draw.line((places[start], places[end]), fill=sides.pop() if len(sides) == 1 else MIDDLE, width=width)
    for place, colour in zip(places, colours, strict=True):
        if place:
            (x, y), radius = place, width * 1.25
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour, outline=BLACK)
