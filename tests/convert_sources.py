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


def voc_object(box=(11, 11, 40, 30), name: str = "<name>cat</name>", more: str = "") -> str:
    edges = "".join(f"<{key}>{value}</{key}>" for key, value in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
    return f"<object>{name}{more}<bndbox>{edges}</bndbox></object>"


def voc_xml(*parts: str, size: tuple | None = (100, 50)) -> str:
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    return f"<annotation>{stated}{''.join(parts)}</annotation>"


def write_voc(
    root: Path, xml: str | bytes, train: str | bytes = "a\nb", stems: tuple = ("a", "b", "c"), **photo
) -> Path:
    """Pascal VOC's folders; `xml` is that of the photo `a`, the others hold a sound cat; `c` is in the list val."""
    for stem in stems:
        write_photo(root / "JPEGImages" / f"{stem}.png", **(photo if stem == "a" else {}))
        write_text(root / "Annotations" / f"{stem}.xml", voc_xml(voc_object()))
    (root / "Annotations" / "a.xml").write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    write_text(root / "ImageSets" / "Main" / "train.txt")
    (root / "ImageSets" / "Main" / "train.txt").write_bytes(train if isinstance(train, bytes) else train.encode())
    write_text(root / "ImageSets" / "Main" / "val.txt", "c")
    return root
