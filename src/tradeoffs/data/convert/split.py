"""What the converters share: objects of one image, their masks, and a split's COCO-format file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from tradeoffs.data.annotation_file import write_annotation_file
from tradeoffs.errors import UserError

IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


@dataclass
class Picture:
    """One image and its objects, each a COCO annotation without ids, with the class's `name`."""

    file_name: str
    width: int
    height: int
    objects: list[dict] = field(default_factory=list)
    without_area: list[str] = field(default_factory=list)  # boxes that were left out


@dataclass
class Summary:
    """What a split came to. `str` is one line."""

    split: str
    images: int
    counts: dict[str, int]  # class name -> objects
    without_area: list[str]

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        line = f"{self.split}: {self.images} images, {sum(self.counts.values())} objects ({classes})"
        if self.without_area:
            line += f"; left out {len(self.without_area)} without area: {', '.join(self.without_area)}"
        return line


def write_split(pictures: list[Picture], class_names: list[str], path: Path) -> Summary:
    """Writes `path`, the COCO-format file of the split that its name says. Ids count from 1."""
    category = {name: number for number, name in enumerate(class_names, 1)}
    images, annotations = [], []
    counts = dict.fromkeys(class_names, 0)
    for image_id, picture in enumerate(pictures, 1):
        size = {"width": picture.width, "height": picture.height}
        images.append({"id": image_id, "file_name": picture.file_name, **size})
        for thing in picture.objects:
            counts[thing["name"]] += 1
            entry = {key: value for key, value in thing.items() if key != "name"}
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": category[thing["name"]]}
            annotations.append(ids | entry)
    categories = [{"id": number, "name": name} for name, number in category.items()]
    write_annotation_file({"images": images, "annotations": annotations, "categories": categories}, path)
    return Summary(path.stem, len(images), counts, [line for picture in pictures for line in picture.without_area])


def write_splits(pictures: dict[str, list[Picture]], folder: Path) -> list[Summary]:
    """One file per split, with the classes of all of them, by name."""
    everything = (thing for part in pictures.values() for picture in part for thing in picture.objects)
    class_names = sorted({thing["name"] for thing in everything})
    return [write_split(part, class_names, folder / f"{split}.json") for split, part in pictures.items()]


def require_folder(source: Path) -> None:
    if not source.is_dir():
        raise UserError(f"{source} is no folder; give the one that holds the data set to convert")


def image_names(folder: Path) -> dict[str, str]:
    """The folder's images: name without suffix -> file name, sorted."""
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return {Path(name).stem: name for name in names}


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of the stored pixels, from the file's header."""
    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        raise UserError(f"cannot read the image {path}: {error}") from None


def read_index_png(path: Path) -> np.ndarray:
    """The indices in a grey or palette PNG, `H W`."""
    try:
        with Image.open(path) as image:
            indices = np.array(image)
    except OSError as error:
        raise UserError(f"cannot read the mask {path}: {error}") from None
    if indices.ndim != 2:
        raise UserError(f"{path} is a {image.mode} picture; a mask is a grey or palette PNG of object numbers")
    return indices


def encode_instances(indices: np.ndarray, numbers: np.ndarray) -> list[dict]:
    """For each object number its mask as COCO's compressed run-length code, with the mask's box and area."""
    masks = np.asfortranarray((indices[:, :, None] == numbers).astype(np.uint8))
    codes = rle.encode(masks)
    boxes, areas = rle.toBbox(codes).tolist(), rle.area(codes).tolist()
    return [
        {"segmentation": {"size": code["size"], "counts": code["counts"].decode()}, "bbox": box, "area": area}
        for code, box, area in zip(codes, boxes, areas, strict=True)
    ]
