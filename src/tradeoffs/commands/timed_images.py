"""The images that models are timed on: for all of them the same ones, each time as the model takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import NamedTuple

from jaxtyping import UInt8
from omegaconf import DictConfig
from pytorch_lightning import LightningDataModule
from torch import Tensor

from tradeoffs.data.image_file import read_image
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import collate, unlabelled
from tradeoffs.inference.image_search import ImageFile, find_images


class TimedImages(NamedTuple):
    """Files, and where they are from, in words."""

    origin: str
    files: list[ImageFile]

    def batch(self, config: DictConfig, size: int) -> UInt8[Tensor, "B 3 H W"]:
        """The first `size` images, resized as the model's config says; from the beginning again if they are fewer."""
        resize = Resize(config.resize, config.image_size)
        return collate(
            [unlabelled(photo, resize) for photo in self.photos(size)], resize.multiple, resize.padding
        ).images

    def photos(self, size: int) -> Iterator[UInt8[Tensor, "3 _h _w"]]:
        """The same as they are."""
        return (read_image(file.path, upright=True) for file in islice(cycle(self.files), size))


def images_of_folder(source: str, count: int) -> TimedImages:
    return TimedImages(source, find_images(source)[:count])


def images_of_data(data: LightningDataModule, count: int) -> TimedImages:
    """The first images of the validation split, in the order of its file."""
    names: Sequence[str] = [data.val.file_names[index] for index in range(min(count, len(data.val)))]
    files = [ImageFile(data.val.images_dir / name, data.val.images_dir / name) for name in names]
    return TimedImages(f"validation split of {data.name}", files)
