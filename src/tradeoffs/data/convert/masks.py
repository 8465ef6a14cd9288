"""From instance-mask PNGs, one per image, as the Penn-Fudan pedestrians have them."""

from __future__ import annotations

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
    write_split,
)
from tradeoffs.errors import UserError

IMAGE_FOLDERS = ("PNGImages", "JPEGImages", "images")
MASK_FOLDERS = ("PedMasks", "masks")


def convert_masks(
    source: Path,
    dest: Path,
    class_name: str = "person",
    validation_every: int = 5,
    copy: bool = False,
    overwrite: bool = False,
) -> list[Summary]:
    """Writes `dest/annotations/{train,val}.json` and `dest/images`.

    An image `X` has the mask `X_mask.png` or `X.png`, in which 0 is background and each other value is one object.
    Boxes are those of the masks. Of the images sorted by name, each `validation_every`-th (the 5th, the 10th, ...)
    goes to validation. Raises UserError where the folders, or masks of some images, are not there, where there are
    too few images, or where `dest` holds another data set, unless `overwrite` lets it be replaced.
    """
    images, masks = _folder(source, IMAGE_FOLDERS), _folder(source, MASK_FOLDERS)
    require_free(dest, images, overwrite, copy)
    names = image_names(images)
    if len(names) < validation_every:
        raise UserError(f"{images} has {len(names)} images; --validation-every {validation_every} needs that many")
    mask_files = {stem.removesuffix("_mask"): masks / name for stem, name in image_names(masks).items()}
    if lacking := [name for stem, name in names.items() if stem not in mask_files]:
        raise UserError(f"{masks} has no mask for {len(lacking)} of {len(names)} images, the first is {lacking[0]}")

    def read(stem: str) -> Picture:
        return _read_picture(images / names[stem], mask_files[stem], class_name)

    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(read, names))
    place_images(images, dest, copy)
    splits = {"train": [], "val": []}
    for number, picture in enumerate(pictures, 1):
        splits["train" if number % validation_every else "val"].append(picture)
    return [write_split(part, [class_name], dest / "annotations" / f"{split}.json") for split, part in splits.items()]


def _read_picture(image: Path, mask: Path, class_name: str) -> Picture:
    width, height = image_size(image)
    indices = read_index_png(mask)
    if indices.shape != (height, width):
        found = f"{indices.shape[1]} x {indices.shape[0]}"
        raise UserError(f"{mask} is of {found} pixels, its image of {width} x {height}; they must agree")
    numbers = np.unique(indices)
    objects = encode_instances(indices, numbers[numbers > 0])
    return Picture(image.name, width, height, [thing | {"name": class_name, "iscrowd": 0} for thing in objects])


def _folder(source: Path, names: tuple[str, ...]) -> Path:
    require_folder(source)
    for name in names:
        if (source / name).is_dir():
            return source / name
    raise UserError(f"{source} has no folder {' or '.join(names)}; expected the layout of Penn-Fudan")
