"""Is an image file whole? Answered from its header and its last bytes, so that a hundred thousand take seconds."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tradeoffs.data.pixels import END_MARKERS, NOT_DECODABLE, TAIL, ImageSize, refusal_of, size_of


def image_fault(path: Path, width: int, height: int) -> tuple[str | None, int]:
    """What is wrong with the file that should hold `width` x `height` stored pixels, or None; its EXIF orientation.

    Only a file without an end marker, because it is cut off or followed by other bytes, is decoded to be sure.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            size, refusal = size_of(image), refusal_of(image)
            if not refusal and not _has_end(file, image.format):
                file.seek(0)
                image.load()
    except FileNotFoundError:
        return "there is no such file", 1
    except Image.UnidentifiedImageError:
        return "is not an image", 1
    except NOT_DECODABLE as error:
        return f"cannot be decoded: {error}", 1
    return refusal or _size_fault(size, (width, height)), size.orientation


def _has_end(file, image_format: str | None) -> bool:
    marker = END_MARKERS.get(image_format or "")
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    return marker is not None and marker in file.read()


def _size_fault(size: ImageSize, stated: tuple[int, int]) -> str | None:
    found = (size.width, size.height)
    if found == stated:
        return None
    difference = f"is {found[0]} x {found[1]} pixels where the annotation file says {stated[0]} x {stated[1]}"
    if size.orientation > 1 and size.upright == stated:
        return (
            f"{difference}, its size when its EXIF orientation ({size.orientation}) is followed: boxes were made on the "
            "turned photo; save the photo turned and without that mark, or give boxes of the stored pixels"
        )
    hint = "; annotations must be those of the pixels before EXIF rotation" if found == stated[::-1] else ""
    return difference + hint
