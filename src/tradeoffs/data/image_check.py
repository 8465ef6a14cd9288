"""Is an image file whole? Answered from its header and its last bytes, so that a hundred thousand take seconds."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

# What the last bytes of a whole file hold. Entropy-coded JPEG data cannot contain its end marker by chance.
END_MARKERS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
TAIL = 32

NOT_DECODABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def image_fault(path: Path, width: int, height: int) -> str | None:
    """What is wrong with the file that should hold `width` x `height` stored pixels; None where nothing is.

    Only a file without an end marker, because it is cut off or followed by other bytes, is decoded to be sure.
    """
    try:
        with path.open("rb") as file, Image.open(file) as image:
            if not _has_end(file, image.format):
                file.seek(0)
                image.load()
            size = image.size
    except FileNotFoundError:
        return "there is no such file"
    except Image.UnidentifiedImageError:
        return "is not an image"
    except NOT_DECODABLE as error:
        return f"cannot be decoded: {error}"
    return None if size == (width, height) else _size_fault(size, (width, height))


def _has_end(file, image_format: str | None) -> bool:
    marker = END_MARKERS.get(image_format or "")
    size = file.seek(0, 2)
    file.seek(max(0, size - TAIL))
    return marker is not None and marker in file.read()


def _size_fault(found: tuple[int, int], expected: tuple[int, int]) -> str:
    hint = "; annotations must be those of the pixels before EXIF rotation" if found == expected[::-1] else ""
    return f"is {found[0]} x {found[1]} pixels where the annotation file says {expected[0]} x {expected[1]}{hint}"
