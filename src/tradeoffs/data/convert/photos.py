"""Photos of a data set to convert: those of a folder, and one with what is marked in it."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path

from tradeoffs.data.annotation_check import BORDER_TOLERANCE
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.names import IMAGE_SUFFIXES
from tradeoffs.data.pixels import TURNS, ImageSize, image_size
from tradeoffs.errors import UserError

Point = tuple[float, float]

DECIMALS = 3  # of a pixel: finer is noise of the tools' percentages


@dataclass
class Photo:
    """A photo and its objects, each a COCO annotation without ids, with the class's `name`.

    `upright` says that what is marked was marked on the photo as its EXIF orientation shows it.
    """

    path: Path
    size: ImageSize
    upright: bool = False
    objects: list[dict] = field(default_factory=list)
    without_area: list[str] = field(default_factory=list)

    @property
    def marked_size(self) -> tuple[int, int]:
        """Width and height of the photo that was marked."""
        return self.size.upright if self.upright else (self.size.width, self.size.height)

    def add(
        self, name: str, points: Sequence[Point], findings: Findings, polygons: Sequence[Sequence[Point]] = (), **more
    ) -> None:
        """Marks the upright box around `points`, in pixels of the marked photo, cut at its border.

        Two opposite corners are enough. `polygons` become the segmentation; `more` goes into the annotation.
        """
        corners = self._inside(points)
        left, top = (min(values) for values in zip(*corners, strict=True))
        right, bottom = (max(values) for values in zip(*corners, strict=True))
        box = [left, top, round(right - left, DECIMALS), round(bottom - top, DECIMALS)]
        if not box[2] or not box[3]:
            if all(max(values) > min(values) for values in zip(*points, strict=True)):
                findings.note("objects outside their photo, left out", f"{self.path.name} {name}")
            else:
                self.without_area.append(f"{self.path.name} {name} {box}")
            return
        if max(_distances(map(self._stored, points), corners)) > BORDER_TOLERANCE:
            findings.note("objects that reach over the border, cut there", self.path.name)
        if max(box[2:]) <= 1:
            findings.note("objects no larger than a pixel: are their numbers parts of the photo?", self.path.name)
        cut = [self._inside(polygon) for polygon in polygons]
        area = sum(map(_polygon_area, cut))
        shape = {"segmentation": [[value for point in polygon for value in point] for polygon in cut]} if area else {}
        area = round(area or box[2] * box[3], DECIMALS)
        self.objects.append({"name": name, "bbox": box, "area": area, "iscrowd": 0, **shape, **more})

    def _inside(self, points: Sequence[Point]) -> list[Point]:
        """In pixels as they are stored, cut at the border."""
        limits = (self.size.width, self.size.height)
        return [_cut(self._stored(point), limits) for point in points]

    def _stored(self, point: Point) -> Point:
        """In pixels as they are stored: what EXIF's orientation does is undone."""
        x, y = point
        if not self.upright:
            return x, y
        width, height = self.size.upright
        swap, rows, columns = TURNS.get(self.size.orientation, (0, 0, 0))
        x, y = width - x if columns else x, height - y if rows else y
        return (y, x) if swap else (x, y)


def read_sizes(paths: Sequence[Path], findings: Findings) -> dict[Path, ImageSize]:
    """Of the photos that can be read; the others are faults."""

    def read(path: Path) -> ImageSize | str:
        try:
            return image_size(path)
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(16) as pool:
        found = dict(zip(paths, pool.map(read, paths), strict=True))
    for size in found.values():
        if isinstance(size, str):
            findings.fault(size)
    return {path: size for path, size in found.items() if isinstance(size, ImageSize)}


def photos_below(folder: Path) -> list[Path]:
    """All photos in the folder and the folders in it, sorted."""
    return sorted(path for path in files_below(folder) if path.suffix.lower() in IMAGE_SUFFIXES)


def files_below(folder: Path) -> Iterator[Path]:
    """Follows links, into each folder once. Hidden files are none, such as macOS leaves beside photos (`._a.jpg`)."""
    seen = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(place)
        folders[:] = [] if here in seen else sorted(name for name in folders if not _is_hidden(name))
        if here not in seen:
            seen.add(here)
            yield from (Path(place, name) for name in files if not _is_hidden(name))


def equal_photos(splits: Mapping[str, Sequence[Path]]) -> Iterator[tuple[str, str, Path, Path]]:
    """Of each two splits the photos that are in both: the same file, or one of equal content."""
    size = cache(lambda path: path.stat().st_size)
    digest = cache(lambda path: hashlib.sha256(path.read_bytes()).digest())
    for one, other in combinations(splits, 2):
        of_size = defaultdict(list)
        for path in splits[one]:
            of_size[size(path)].append(path)
        twins = cache(lambda size, of_size=of_size: {digest(path): path for path in of_size[size]})
        for path in splits[other]:
            if size(path) in of_size and (twin := twins(size(path)).get(digest(path))):
                yield one, other, twin, path


def common_folder(paths: Iterable[Path]) -> Path:
    return Path(os.path.commonpath([path.parent for path in paths]))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _cut(point: Point, limits: tuple[int, int]) -> Point:
    x, y = (round(min(max(value, 0.0), limit), DECIMALS) for value, limit in zip(point, limits, strict=True))
    return x, y


def _distances(places: Iterable[Point], others: Iterable[Point]) -> Iterator[float]:
    return (max(abs(x0 - x1), abs(y0 - y1)) for (x0, y0), (x1, y1) in zip(places, others, strict=True))


def _polygon_area(points: Sequence[Point]) -> float:
    """By the shoelace formula."""
    turned = [*points[1:], points[0]]
    return abs(sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(points, turned, strict=True))) / 2
