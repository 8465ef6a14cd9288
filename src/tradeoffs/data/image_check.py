"""Is an image file whole? Answered from its header and its last bytes, so that a hundred thousand take seconds."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from PIL import Image

from tradeoffs.data.pixels import NOT_DECODABLE, TAIL, ImageSize, has_end, is_16_bit, refusal_of, size_of


class ImageFacts(NamedTuple):
    """What is wrong with a file, if anything; and what is worth a word."""

    fault: str | None
    orientation: int = 1  # EXIF's
    deep: bool = False  # 16 bits a pixel
    pages: int = 1


def image_facts(path: Path, width: int, height: int) -> ImageFacts:
    """Of the file that should hold `width` x `height` stored pixels.

    Only a file without an end marker, because it is cut off or followed by other bytes, is decoded to be sure.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            size, refusal, deep = size_of(image), refusal_of(image), is_16_bit(image)
            pages = getattr(image, "n_frames", 1) if image.format == "TIFF" else 1
            if not refusal and not _is_whole(file, image.format):
                file.seek(0)
                image.load()
    except FileNotFoundError:
        return ImageFacts("there is no such file")
    except Image.UnidentifiedImageError:
        return ImageFacts("is not an image")
    except NOT_DECODABLE as error:
        return ImageFacts(f"cannot be decoded: {error}")
    return ImageFacts(refusal or _size_fault(size, (width, height)), size.orientation, deep, pages)


def _is_whole(file, image_format: str | None) -> bool:
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    return has_end(image_format, file.read())


def _size_fault(size: ImageSize, stated: tuple[int, int]) -> str | None:
    found = (size.width, size.height)
    if found == stated:
        return None
    difference = f"is {found[0]} x {found[1]} pixels where the annotation file says {stated[0]} x {stated[1]}"
    if size.orientation > 1 and size.upright == stated:
        return (
            f"{difference}, its size when its EXIF orientation ({size.orientation}) is followed: boxes were made on "
            "the turned photo; save the photo turned and without that mark, or give boxes of the stored pixels"
        )
    hint = "; annotations must be those of the pixels before EXIF rotation" if found == stated[::-1] else ""
    return difference + hint
