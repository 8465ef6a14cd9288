"""Sets of torchvision that are one large array, written once as PNG files with their labels in COCO format."""

from __future__ import annotations

from pathlib import Path

from tqdm import tqdm

from tradeoffs.data.archives import Split
from tradeoffs.data.convert.split import write_split
from tradeoffs.data.labels.index import whole_image
from tradeoffs.errors import UserError


def write_set(name: str, is_train: bool, root: Path, place: Split) -> None:
    """Fetches the class `name` of `torchvision.datasets` into `root`, by its own means, and writes a split of it.

    The annotation file comes last: once it is there, all images are. Raises UserError where it cannot be fetched.
    """
    from torchvision import datasets  # seconds, of which checking a config must not take one

    try:
        images = getattr(datasets, name)(root, train=is_train, download=True)
    except (OSError, RuntimeError) as error:  # no network, a full disk; a damaged file
        reason = " ".join(str(error).split())  # of several lines
        remedy = f"run the command again, or put its files into {root}, as torchvision keeps them"
        raise UserError(f"cannot fetch {name}: {reason}; {remedy}") from None
    place.images.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number, (image, label) in enumerate(tqdm(images, f"writing {name}", disable=None)):
        file_name = f"{number:05d}.png"
        image.save(place.images / file_name)
        pictures.append(whole_image(file_name, *image.size, images.classes[label]))
    write_split(pictures, images.classes, place.annotations)
