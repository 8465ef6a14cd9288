"""From Pascal VOC: one XML per image, lists of names per split, instance PNGs for some images."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tradeoffs.data.convert.destination import place_images, require_free
from tradeoffs.data.convert.split import (
    Picture,
    Summary,
    encode_instances,
    image_names,
    image_size,
    read_index_png,
    require_folder,
    write_splits,
)
from tradeoffs.errors import UserError

SPLITS = {"train": "train", "val": "val", "test": "test"}


def convert_voc(
    source: Path,
    dest: Path,
    splits: dict[str, str] | None = None,
    lists: str = "Main",
    copy: bool = False,
    overwrite: bool = False,
) -> list[Summary]:
    """Writes `dest/annotations/SPLIT.json` for each split and `dest/images`.

    `splits` maps the new split to the list in `ImageSets/<lists>` that it takes, `{"train": "trainval"}` say; by
    default those of train, val and test that are there. `lists="Segmentation"` takes the images with masks only.
    Classes are numbered by name over all splits. Raises UserError where `source` has another layout, or `dest` holds
    another data set, unless `overwrite` lets it be replaced.
    """
    _require_layout(source, lists)
    require_free(dest, source / "JPEGImages", overwrite, copy)
    found = {path.stem for path in (source / "ImageSets" / lists).glob("*.txt")}
    chosen = splits or {split: name for split, name in SPLITS.items() if name in found}
    if not chosen or not found.issuperset(chosen.values()):
        wanted = ", ".join((splits or SPLITS).values())
        raise UserError(f"{source / 'ImageSets' / lists} has the lists {sorted(found)}; wanted {wanted}")
    pictures = {split: read_voc(source, name, lists) for split, name in chosen.items()}
    place_images(source / "JPEGImages", dest, copy)
    return write_splits(pictures, dest / "annotations")


def read_voc(source: Path, name: str, lists: str = "Main", prefix: str = "") -> list[Picture]:
    """The images of the list `ImageSets/<lists>/<name>.txt`; `prefix` is put before their file names."""
    lines = (source / "ImageSets" / lists / f"{name}.txt").read_text().split("\n")
    stems = [line.split()[0] for line in lines if line.strip()]
    files = image_names(source / "JPEGImages")
    if lacking := [stem for stem in stems if stem not in files]:
        where = source / "JPEGImages"
        raise UserError(f"{where} lacks {len(lacking)} of {len(stems)} images of {name}, the first is {lacking[0]}")
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda stem: _read_picture(source, files[stem], prefix), stems))


def _read_picture(source: Path, file_name: str, prefix: str) -> Picture:
    stem = Path(file_name).stem
    width, height = image_size(source / "JPEGImages" / file_name)
    picture = Picture(prefix + file_name, width, height)
    elements = _parse(source / "Annotations" / f"{stem}.xml").findall("object")
    masks = _masks(source / "SegmentationObject" / f"{stem}.png", len(elements))
    for element, mask in zip(elements, masks, strict=True):
        name, box = _name_and_box(element, stem)
        if box[2] <= box[0] or box[3] <= box[1]:
            picture.without_area.append(f"{stem} {name} {box}")
        else:
            picture.objects.append({"name": name, **_object(element, box, width, height), **mask})
    return picture


def _parse(path: Path) -> ElementTree.Element:
    try:
        return ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise UserError(f"there is no annotation {path}, though a list in ImageSets names its image") from None
    except ElementTree.ParseError as error:
        raise UserError(f"{path} is broken XML: {error}") from None


def _name_and_box(element: ElementTree.Element, stem: str) -> tuple[str, list[float]]:
    keys = ("name", "bndbox/xmin", "bndbox/ymin", "bndbox/xmax", "bndbox/ymax")
    texts = [element.findtext(key) for key in keys]
    try:
        return str(texts[0]), [float(text) for text in texts[1:]]
    except (TypeError, ValueError):
        raise UserError(f"{stem}.xml: an object has {texts} as name and bndbox; expected four numbers") from None


def _object(element: ElementTree.Element, box: list[float], width: int, height: int) -> dict:
    """VOC counts pixels from 1 and boxes include their last pixel: the pixels 1 to 3 are x = 0, width = 3.

    A `difficult` object becomes `iscrowd`, the only mark by which COCO's metric leaves an object out of the count,
    as VOC's does: found or not, it is neither right nor wrong. (The metric overwrites an entry `ignore`.)
    """
    left, right = (min(max(edge, 0), width) for edge in (box[0] - 1, box[2]))
    top, bottom = (min(max(edge, 0), height) for edge in (box[1] - 1, box[3]))
    bbox = [left, top, right - left, bottom - top]
    difficult = int(element.findtext("difficult") or 0)
    return {"bbox": bbox, "area": bbox[2] * bbox[3], "iscrowd": difficult}


def _masks(path: Path, count: int) -> Iterable[dict]:
    """Of each object its mask and the mask's area. Object i of the XML is index i of the PNG, 255 the border.

    SegmentationClass is not needed: it says of which class a pixel is, which the object knows already.
    """
    if not path.exists():
        return [{}] * count
    encoded = encode_instances(read_index_png(path), np.arange(1, count + 1))
    return [{key: mask[key] for key in ("segmentation", "area")} if mask["area"] else {} for mask in encoded]


def _require_layout(source: Path, lists: str) -> None:
    require_folder(source)
    lacking = [name for name in ("Annotations", f"ImageSets/{lists}", "JPEGImages") if not (source / name).is_dir()]
    if lacking:
        raise UserError(f"{source} has no folder {' and no folder '.join(lacking)}; expected the layout of Pascal VOC")
