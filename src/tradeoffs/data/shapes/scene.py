"""Puts a scene together: who stands where, who hides whom, and what remains visible."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Int16
from numpy.random import Generator

from tradeoffs.data.shapes.figure import draw_figure
from tradeoffs.data.shapes.paint import Picture, paint_background, paint_object, scatter_strokes, through_camera
from tradeoffs.data.shapes.silhouettes import OUTLINES, Points, Silhouette, draw_outline

CLASS_NAMES = (*OUTLINES, "figure")

WIDTHS_AND_HEIGHTS = ((320, 240), (240, 320), (288, 288), (320, 320))
SMALLEST, LARGEST = 26.0, 260.0  # longer side of an object's box, pixels
SMALLEST_VISIBLE_SHARE = 0.5
SMALLEST_VISIBLE_AREA = 64  # pixels
EMPTY_SHARE, CROWD_SHARE, VEILED_SHARE = 0.03, 0.03, 0.3
MOST_OBJECTS = 8
TRIES = 6  # places that are tried for an object before it is left out

Window = tuple[slice, slice]  # rows and columns of the picture


@dataclass
class Instance:
    """What is known of an object besides its pixels."""

    label: int
    crowd: bool
    full_area: int  # pixels, hidden ones and those beyond the border included
    joints: Points | None  # in pixels of the picture, perhaps beyond its border


@dataclass
class Scene:
    """A picture in the making. Pixel values of `owner` are positions in `instances`, plus 1; 0 is background."""

    picture: Picture
    owner: Int16[np.ndarray, "H W"]
    instances: list[Instance] = field(default_factory=list)

    def visible(self, position: int) -> Bool[np.ndarray, "H W"]:
        return self.owner == position + 1


def compose(rng: Generator) -> Scene:
    """Background, perhaps a crowd, then objects from the back to the front, then the camera."""
    width, height = WIDTHS_AND_HEIGHTS[rng.integers(len(WIDTHS_AND_HEIGHTS))]
    scene = Scene(paint_background(height, width, rng), np.zeros((height, width), np.int16))
    kind = rng.random()
    if kind >= EMPTY_SHARE:
        if kind < EMPTY_SHARE + CROWD_SHARE:
            add_crowd(scene, rng)
        for _ in range(rng.integers(1, MOST_OBJECTS + 1)):
            add_object(scene, rng)
    if rng.random() < VEILED_SHARE:
        scatter_strokes(scene.picture, 2, 0.4, rng)  # faint: masks do not know of them
    scene.picture = through_camera(scene.picture, rng)
    return scene


def add_object(scene: Scene, rng: Generator) -> None:
    """One more object in front of the others, where enough of it and of them remains visible; else none."""
    label = int(rng.integers(len(CLASS_NAMES)))
    silhouette = draw_silhouette(label, log_uniform(SMALLEST, LARGEST, rng), rng)
    full_area = int(silhouette.mask.sum())
    for _ in range(TRIES):
        height, width = scene.owner.shape
        corner = corner_around(rng.uniform(0.08, 0.92, 2) * (width, height), silhouette)
        window, mask = cut(scene, silhouette, corner)
        if leaves_enough_visible(scene, window, mask, full_area):
            joints = None if silhouette.joints is None else silhouette.joints + corner
            scene.instances.append(Instance(label, crowd=False, full_area=full_area, joints=joints))
            paint(scene, window, mask, rng)
            return


def add_crowd(scene: Scene, rng: Generator) -> None:
    """A heap of tiny objects of one class, too dense to be told apart, as one instance."""
    label = int(rng.integers(len(CLASS_NAMES)))
    height, width = scene.owner.shape
    middle, spread = rng.uniform(0.2, 0.8, 2) * (width, height), rng.uniform(10, 18)
    scene.instances.append(Instance(label, crowd=True, full_area=0, joints=None))
    for _ in range(rng.integers(15, 40)):
        silhouette = draw_silhouette(label, rng.uniform(9, 16), rng)
        place = np.clip(rng.normal(middle, spread), 8, (width - 8, height - 8))  # inside as a whole
        paint(scene, *cut(scene, silhouette, corner_around(place, silhouette)), rng)
    scene.instances[-1].full_area = int(scene.visible(len(scene.instances) - 1).sum())


def draw_silhouette(label: int, size: float, rng: Generator) -> Silhouette:
    name = CLASS_NAMES[label]
    return draw_figure(size, rng) if name == "figure" else draw_outline(name, size, rng)


def log_uniform(low: float, high: float, rng: Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def corner_around(middle: np.ndarray, silhouette: Silhouette) -> tuple[int, int]:
    """x and y of the upper left pixel of a silhouette that is centred there; may be negative."""
    height, width = silhouette.mask.shape
    return int(middle[0] - width / 2), int(middle[1] - height / 2)


def cut(scene: Scene, silhouette: Silhouette, corner: tuple[int, int]) -> tuple[Window, Bool[np.ndarray, "h w"]]:
    """The part of the picture that the silhouette reaches, and the silhouette's mask there."""
    left, top = corner
    height, width = silhouette.mask.shape
    rows = slice(max(top, 0), min(top + height, scene.owner.shape[0]))
    columns = slice(max(left, 0), min(left + width, scene.owner.shape[1]))
    inside = silhouette.mask[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    return (rows, columns), inside


def leaves_enough_visible(scene: Scene, window: Window, mask: Bool[np.ndarray, "h w"], full_area: int) -> bool:
    """Whether the new object and all older ones can still be recognized. What cannot is not painted at all."""
    owners = len(scene.instances) + 1
    visible = np.bincount(scene.owner.ravel(), minlength=owners)
    visible -= np.bincount(scene.owner[window][mask], minlength=owners)
    areas = np.array([*visible[1:], mask.sum()])
    full_areas = np.array([*(instance.full_area for instance in scene.instances), full_area])
    return bool(np.all((areas >= SMALLEST_VISIBLE_SHARE * full_areas) & (areas >= SMALLEST_VISIBLE_AREA)))


def paint(scene: Scene, window: Window, mask: Bool[np.ndarray, "h w"], rng: Generator) -> None:
    """Paints the pixels and hands them over to the newest instance."""
    kind = scene.instances[-1].label / len(CLASS_NAMES)
    paint_object(scene.picture[window], mask, kind, rng)
    scene.owner[window][mask] = len(scene.instances)
