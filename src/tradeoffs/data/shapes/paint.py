"""Colours, textures, background, clutter and the camera's imperfections."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy.random import Generator

Picture = UInt8[np.ndarray, "H W 3"]  # RGB
Field = Float32[np.ndarray, "H W"]  # how much of the second colour, 0..1


# As in the world, things of a kind look alike: this share of them has the kind's own colour, or texture.
TYPICAL_SHARE = 0.7
HUE_SPREAD = 0.03  # standard deviation, parts of the colour circle
TEXTURES = 5


def draw_texture(number: int, height: int, width: int, rng: Generator) -> Field:
    """Plain, shaded, striped, chequered or speckled."""
    match number:
        case 0:
            return np.zeros((height, width), np.float32)
        case 1:
            return stretch(wave_phase(height, width, rng.uniform(0, 2 * np.pi)))
        case 2:
            return stripes(height, width, *stripe_pattern(rng))
        case 3:
            angle, period = stripe_pattern(rng)
            across = stripes(height, width, angle + np.pi / 2, period)
            return abs(stripes(height, width, angle, period) - across)
        case _:
            coarse = rng.random((height // 3 + 1, width // 3 + 1)) < 0.25
            return cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST)


def stripe_pattern(rng: Generator) -> tuple[float, float]:
    """Angle in radians and period in pixels."""
    return rng.uniform(0, np.pi), rng.uniform(5, 16)


def stripes(height: int, width: int, angle: float, period: float) -> Field:
    return (wave_phase(height, width, angle) % period < period / 2).astype(np.float32)


def wave_phase(height: int, width: int, angle: float) -> Field:
    """Pixels along the direction `angle`."""
    x = np.arange(width, dtype=np.float32) * np.float32(np.cos(angle))
    y = np.arange(height, dtype=np.float32) * np.float32(np.sin(angle))
    return y[:, None] + x


def stretch(field: Field) -> Field:
    """To the range 0..1."""
    low, high = field.min(), field.max()
    return (field - low) / max(high - low, np.float32(1e-6))


def cloud(height: int, width: int, cells: int, rng: Generator) -> Field:
    """Smooth random field with about `cells` hills along each side."""
    hills = rng.random((cells, cells), np.float32)
    return np.clip(cv2.resize(hills, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def mix(field: Field, first: np.ndarray, second: np.ndarray) -> Picture:
    """The two colours, blended by the field."""
    return (first + field[..., None] * (second - first).astype(np.float32)).astype(np.uint8)


def paint_background(height: int, width: int, rng: Generator) -> Picture:
    shade = stretch(wave_phase(height, width, rng.uniform(0, 2 * np.pi)))
    field = 0.4 * shade + 0.4 * cloud(height, width, 4, rng) + 0.2 * cloud(height, width, 24, rng)
    first, second = rng.uniform(0, 255, (2, 3))
    picture = mix(field, first, first + 0.7 * (second - first))
    scatter_specks(picture, rng)
    scatter_strokes(picture, int(rng.integers(2, 9)), 0.8, rng)
    return picture


def scatter_specks(picture: Picture, rng: Generator) -> None:
    """Dots far smaller than any object."""
    height, width = picture.shape[:2]
    for _ in range(rng.integers(40)):
        centre = rng.integers((width, height)).tolist()
        cv2.circle(picture, centre, int(rng.integers(1, 4)), rng.uniform(0, 255, 3).tolist(), cv2.FILLED)


def scatter_strokes(picture: Picture, count: int, most_opacity: float, rng: Generator) -> None:
    """Half-transparent crooked strokes, which belong to no class."""
    height, width = picture.shape[:2]
    for _ in range(count):
        steps = rng.normal(0, max(height, width) / 5, (rng.integers(2, 6), 2))
        points = (rng.uniform(0, (width, height)) + np.cumsum(steps, axis=0)).astype(np.int32)
        colour, thickness = rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 7))
        stroked = cv2.polylines(picture.copy(), [points], False, colour, thickness, cv2.LINE_AA)
        opacity = rng.uniform(0.2, most_opacity)
        cv2.addWeighted(stroked, opacity, picture, 1 - opacity, 0, dst=picture)


def paint_object(window: Picture, mask: Bool[np.ndarray, "H W"], kind: float, rng: Generator) -> None:
    """Fills the masked pixels with a texture whose main colour stands out from what was there.

    `kind` in 0..1 is what the object's class has as its place on the colour circle.
    """
    typical_colour, typical_texture = rng.random(2) < TYPICAL_SHARE
    colours = colours_like(kind, rng) if typical_colour else rng.uniform(0, 255, (12, 3))
    first = farthest(colours, window[mask].mean(axis=0))
    second = first + rng.uniform(0.1, 0.35) * (rng.uniform(0, 255, 3) - first)
    number = int(kind * 2 * TEXTURES) % TEXTURES if typical_texture else int(rng.integers(TEXTURES))
    window[mask] = mix(draw_texture(number, *mask.shape, rng), first, second)[mask]


def colours_like(hue: float, rng: Generator) -> Float32[np.ndarray, "12 3"]:
    """Bright and dark, pale and strong colours of about this hue."""
    hues = 360 * ((hue + rng.normal(0, HUE_SPREAD, 12)) % 1)
    hsv = np.stack([hues, rng.uniform(0.4, 1, 12), rng.uniform(0.35, 1, 12)], axis=1).astype(np.float32)
    return 255 * cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]


def farthest(colours: np.ndarray, surroundings: np.ndarray) -> np.ndarray:
    """The colour that stands out most."""
    return colours[np.abs(colours - surroundings).sum(axis=1).argmax()]


def through_camera(picture: Picture, rng: Generator) -> Picture:
    """Slightly out of focus, with sensor noise."""
    blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.1))
    noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 6))
    return np.clip(blurred + noise, 0, 255).astype(np.uint8)
