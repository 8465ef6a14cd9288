"""Files of data sets as other tools write them."""

from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 0x112


def write_photo(path: Path, size: tuple[int, int] = (100, 50), orientation: int = 1, level: int | None = None) -> None:
    """Grey by its name, so that no two are equal; `size` is that of the stored pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if orientation > 1:
        exif[ORIENTATION] = orientation
    rng = np.random.default_rng(list(str(path).encode()) if level is None else level)
    pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)


def write_text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))
