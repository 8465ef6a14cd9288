"""Boxes that a tool lets people turn. What is kept of one is the upright box around its corners."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tradeoffs.data.convert.photos import Point

TURNED = "turned boxes, of which the upright box around their corners is taken"


def turned(points: Sequence[Point], degrees: float, pivot: Point) -> list[Point]:
    """The points turned about `pivot`, clockwise as it is seen on the photo, where y runs down."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    offsets = [(x - pivot[0], y - pivot[1]) for x, y in points]
    return [(pivot[0] + x * cosine - y * sine, pivot[1] + x * sine + y * cosine) for x, y in offsets]


def corners(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def centre(left: float, top: float, right: float, bottom: float) -> Point:
    return (left + right) / 2, (top + bottom) / 2
