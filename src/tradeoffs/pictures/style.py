"""Colours, and sizes of lines and letters: readable in a small picture, and in a large one that is shown smaller."""

from __future__ import annotations

from functools import lru_cache

from PIL import ImageFont

Colour = tuple[int, int, int]

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


def line_width(size: tuple[int, int]) -> int:
    return max(2, round(max(size) / 250))


def letter_size(size: tuple[int, int]) -> int:
    return max(12, round(max(size) / 64))


def readable_on(colour: Colour) -> Colour:
    """Black or white, by the luma of the ground (ITU-R BT.601)."""
    red, green, blue = colour
    return BLACK if 0.299 * red + 0.587 * green + 0.114 * blue > 128 else WHITE


@lru_cache
def font_of(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
