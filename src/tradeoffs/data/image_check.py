"""Are image files whole? Answered from headers and last bytes, so that a hundred thousand take seconds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from tradeoffs.data.faults import Fault
from tradeoffs.data.pixels import (
    NOT_DECODABLE,
    TAIL,
    ImageSize,
    has_end,
    is_16_bit,
    read_pixels,
    reason_of,
    refusal_of,
    size_of,
)

DARK = 64  # of 255: values of up to 14 bits that are kept in 16 lie below it
SAMPLE = 5  # photos of 16 bits whose pixels are looked at


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
        return ImageFacts(f"there is no such file{_spelt_otherwise(path)}")
    except NOT_DECODABLE as error:
        is_none = isinstance(error, Image.UnidentifiedImageError)
        return ImageFacts(reason_of(error, path) or ("is not an image" if is_none else f"cannot be decoded: {error}"))
    return ImageFacts(refusal or _size_fault(size, (width, height)), size.orientation, deep, pages)


def _spelt_otherwise(path: Path) -> str:
    """Accents and capitals make names differ that look alike to people, or to other systems; so do backslashes."""
    path = Path(str(path).replace("\\", "/"))
    with suppress(OSError, ValueError):
        for found in path.parent.iterdir():
            if _alike(found.name) == _alike(path.name):
                return f", but {found}, whose name is spelt in another way"
    return ""


def _alike(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


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
    hint = "; one of them was turned, or width and height have changed places" if found == stated[::-1] else ""
    return difference + hint


def image_faults(content: dict, folder: Path, file: str) -> Iterator[Fault]:
    """Of all images of an annotation file called `file`, whose entries are whole."""
    entries = content["images"]

    def facts_of(entry: dict) -> ImageFacts:
        return image_facts(folder / entry["file_name"], entry["width"], entry["height"])

    with ThreadPoolExecutor(16) as pool:
        found = list(tqdm(pool.map(facts_of, entries), "checking images", len(entries), leave=False, delay=1))
    for entry, facts in zip(entries, found, strict=True):
        if facts.fault:
            where = f"{folder / entry['file_name']} (image {entry['id']})"
            yield Fault("error", where, facts.fault, image_id=entry["id"])
    for what in _remarks(content, folder, found):
        yield Fault("warning", file, what)


def _remarks(content: dict, folder: Path, found: list[ImageFacts]) -> Iterator[str]:
    """What is odd about photos that can be read."""
    sound = [(entry, facts) for entry, facts in zip(content["images"], found, strict=True) if not facts.fault]
    with_objects = {annotation["image_id"] for annotation in content["annotations"]}
    turned = [
        f"{entry['file_name']} ({facts.orientation})"
        for entry, facts in sound
        if facts.orientation > 1 and entry["id"] in with_objects
    ]
    if turned:
        yield (
            f"{len(turned)} photos with objects have an EXIF orientation, the first is {turned[0]}; boxes are taken to "
            "be made on the pixels as stored. If they were made on the turned photos, save those turned, without mark"
        )
    if pages := [entry["file_name"] for entry, facts in sound if facts.pages > 1]:
        yield f"{len(pages)} photos have several pages, the first is {pages[0]}; only the first page of each is read"
    deep = [entry["file_name"] for entry, facts in sound if facts.deep]
    looked_at = deep[:: max(1, len(deep) // SAMPLE)][:SAMPLE]
    brightest = max((int(read_pixels(folder / name).max()) for name in looked_at), default=DARK)
    if brightest < DARK:
        yield (
            f"{len(deep)} photos have 16 bits, of which the high byte is read, and there no pixel is brighter than "
            f"{brightest} of 255; stretch them to 0 to 65535, or save them with 8 bits"
        )
