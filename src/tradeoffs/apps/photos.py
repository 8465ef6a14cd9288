"""The images that models are timed on: for all of them the same ones, each time as the model takes them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice
from typing import NamedTuple

from jaxtyping import UInt8
from omegaconf import DictConfig
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tradeoffs.apps.image_search import ImageFile, find_images
from tradeoffs.apps.predict import Picture, read_picture
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import collate
from tradeoffs.errors import UserError


class Photos(NamedTuple):
    """Files, and where they are from, in words."""

    origin: str
    files: list[ImageFile]

    def batch(self, config: DictConfig, size: int) -> UInt8[Tensor, "B 3 H W"]:
        """The first `size` images, resized as the model's config says; from the beginning again if they are fewer."""
        resize = Resize(config.resize, config.image_size)
        pictures = [readable(read_picture(file, resize)) for file in islice(cycle(self.files), size)]
        return collate([picture.sample for picture in pictures], resize.multiple).images


def readable(picture: Picture | str) -> Picture:
    if isinstance(picture, str):
        raise UserError(picture)
    return picture


def photos_of_folder(source: str, count: int) -> Photos:
    return Photos(source, find_images(source)[:count])


def photos_of_data(data: LightningDataModule, count: int) -> Photos:
    """The first images of the validation split, in the order of its file."""
    names: Sequence[str] = [data.val.file_names[index] for index in range(min(count, len(data.val)))]
    files = [ImageFile(data.val.images_dir / name, data.val.images_dir / name) for name in names]
    return Photos(f"validation split of {data.name}", files)
