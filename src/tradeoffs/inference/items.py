"""What somebody wants to be looked at, as one image after the other that are not read yet."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from glob import has_magic
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image
from torch import Tensor

from tradeoffs.inference.address import at_hand, is_address
from tradeoffs.inference.image_search import ImageFile, camera_of, find_images, is_video
from tradeoffs.inference.pixels import pixels_of
from tradeoffs.inference.video import Video


class Item(NamedTuple):
    """One image."""

    image: object  # as `pixels_of` takes it
    name: Path
    file: Path | None = None  # where it can be read again
    seconds: float | None = None  # of a frame


def is_single(source: object) -> bool:
    """Whether it is one image and not several."""
    match source:
        case str() | Path():
            path = Path(source)
            return is_address(source) or path.is_file() or not (path.is_dir() or has_magic(str(source)))
        case np.ndarray() | Tensor():
            return source.ndim <= 3
        case Image.Image():
            return True
    return not isinstance(source, Iterable)


def is_moving(source: object) -> bool:
    """Whether it is a video or a camera."""
    match source:
        case int() | str() | Path():
            return camera_of(source) is not None or (is_video(_path(source)) and not Path(str(source)).is_dir())
    return False


def items_of(source: object, faults: list[str] | None = None) -> Iterator[Item]:
    """All images that a source means. Raises UserError where it means none."""
    if isinstance(source, str | Path | int):
        with at_hand(source) as place:
            camera = camera_of(place)
            if camera is not None or is_video(str(place)):
                yield from frames_of(Video(place if camera is None else camera), faults)
            elif is_address(source):
                yield Item(pixels_of(place), name_of(source, 1))
            else:
                yield from files_of(find_images(str(place)))
    elif is_single(source):
        yield single(source, 1)
    else:
        reused = not isinstance(source, list | tuple)  # a generator may put the next image into the same memory
        for number, image in enumerate(source, 1):
            at_once = isinstance(image, Image.Image) or (reused and not isinstance(image, str | Path))
            item = single(image, number)  # Pillow's images are not for several threads
            yield item._replace(image=pixels_of(image)) if at_once else item


def files_of(files: Iterable[ImageFile]) -> Iterator[Item]:
    return (Item(file.path, file.name, file.path) for file in files)


def frames_of(video: Video, faults: list[str] | None = None) -> Iterator[Item]:
    """Frames that lack at the end are told to `faults`, or by a warning."""
    for frame in video:
        yield Item(frame.pixels, Path(f"{video.name}#{frame.number:06d}"), seconds=frame.seconds)
    if video.fault and faults is None:
        warnings.warn(video.fault, stacklevel=2)
    elif video.fault:
        faults.append(video.fault)


def single(image: object, number: int) -> Item:
    """`number` names it where it has no name."""
    lasting = isinstance(image, str | Path) and not is_address(image)
    return Item(image, name_of(image, number), Path(image) if lasting else None)


def name_of(image: object, number: int) -> Path:
    name = _path(image).name if isinstance(image, str | Path) else Path(getattr(image, "filename", "") or "").name
    return Path(name or f"image_{number}")


def _path(source: object) -> Path:
    return Path(unquote(urlsplit(source).path)) if is_address(source) else Path(str(source))
