"""What an object covers before anything hides parts of it, and the outlines of the rigid classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy.random import Generator

Points = Float[np.ndarray, "n 2"]  # x, y; the first pixel spans 0..1, so its centre is at .5

MOST_LEAN = 25  # degrees
SUBPIXEL_BITS = 4  # cv2 takes coordinates as fixed-point integers


@dataclass
class Silhouette:
    """The full extent of an object in a canvas of its own, and its joints if it has any."""

    mask: Bool[np.ndarray, "h w"]
    joints: Points | None = None


def circle(rng: Generator) -> list[Points]:
    return [regular_polygon(48)]


def square(rng: Generator) -> list[Points]:
    return [regular_polygon(4) @ rotation(np.pi / 4)]


def triangle(rng: Generator) -> list[Points]:
    return [regular_polygon(3) @ rotation(-np.pi / 2)]


def star(rng: Generator) -> list[Points]:
    tips_and_notches = regular_polygon(10) @ rotation(-np.pi / 2)
    tips_and_notches[1::2] *= rng.uniform(0.4, 0.48)
    return [tips_and_notches]


def ring(rng: Generator) -> list[Points]:
    return [regular_polygon(48), regular_polygon(48) * rng.uniform(0.5, 0.65)]


def cross(rng: Generator) -> list[Points]:
    arm = rng.uniform(0.26, 0.38)
    end_of_arm = np.array([[arm, arm], [arm, 1.0], [-arm, 1.0]])
    return [np.concatenate([end_of_arm @ rotation(turn * np.pi / 2) for turn in range(4)])]


OUTLINES: dict[str, Callable[[Generator], list[Points]]] = {
    outline.__name__: outline for outline in (circle, square, triangle, star, ring, cross)
}


def draw_outline(name: str, size: float, rng: Generator) -> Silhouette:
    """A shape, slightly squeezed and leaning; the longer side of its box is `size` pixels.

    Outlines inside each other are filled by the even-odd rule, which is what makes the hole of the ring.
    """
    squeeze = np.diag([1.0, rng.uniform(0.75, 1.0)])
    placement = squeeze @ random_lean(rng)
    contours = [contour @ placement for contour in OUTLINES[name](rng)]
    corner, extent = contours[0].min(axis=0), np.ptp(contours[0], axis=0)
    scale = size / extent.max()
    mask = blank_canvas(extent * scale)
    cv2.fillPoly(mask, [fixed_point((contour - corner) * scale) for contour in contours], 1, shift=SUBPIXEL_BITS)
    return Silhouette(mask.astype(bool))


def regular_polygon(corners: int) -> Points:
    """Corners on the unit circle."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def rotation(angle: float) -> Float[np.ndarray, "2 2"]:
    """To be multiplied from the right: rows (x, y) turn by `angle` from the x towards the y axis."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]])


def random_lean(rng: Generator) -> Float[np.ndarray, "2 2"]:
    return rotation(np.radians(rng.uniform(-MOST_LEAN, MOST_LEAN)))


def blank_canvas(extent: Float[np.ndarray, "2"]) -> np.ndarray:
    width, height = np.ceil(extent).astype(int) + 1
    return np.zeros((height, width), np.uint8)


def fixed_point(points: Points) -> np.ndarray:
    """As cv2's drawing functions take them; they count from the centre of the first pixel, we from its corner."""
    return np.round((points - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32)
