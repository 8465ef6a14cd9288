"""Sources of data sets with one label an image: somebody's own folder, and sets that are fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tradeoffs.data.archives import Split, ensure_tiny_imagenet, tiny_imagenet_folder
from tradeoffs.data.labels.index import index_folder, index_place
from tradeoffs.data.labels.torchvision_sets import write_set
from tradeoffs.data.sources import SplitName, alone
from tradeoffs.errors import UserError

SHARE, SEED = 0.2, 0  # of the images for validation, where the folder has no split for it


def image_folder(split: SplitName, root: Path | str, cache: Path | str, val: float = SHARE, seed: int = SEED) -> Split:
    """Anybody's images in folders of their classes, or with lists or tables of labels; see `layout.read_labels`.

    The images stay where they are. What they show is written below `cache`, in COCO format.
    """
    root, cache = Path(root), Path(cache)
    if not root.is_dir():
        raise UserError(f"data.root={root} is no folder; give one that holds images and says their classes")
    if not 0 < val < 1:
        raise UserError(f"data.source.val={val:g} is impossible; give the share of the images for validation, as 0.2")
    with alone(index_place(root, cache, val, seed)):
        index_folder(root, cache, val, seed)
    return _indexed(split, root, cache, val, seed)


def tiny_imagenet(split: SplitName, root: Path | str, cache: Path | str) -> Split:
    """Tiny ImageNet, 200 classes of 64 x 64 pixels with a box each: `root` is its folder, or where it is to be put."""
    with alone(Path(root)):
        folder = ensure_tiny_imagenet(Path(root))
    return image_folder(split, folder, cache)


def cifar10(split: SplitName, root: Path | str) -> Split:
    """CIFAR-10 (Krizhevsky 2009): 50,000 images of 32 x 32 for training; its 10,000 for tests are the validation."""
    return _fetched("CIFAR10", split, Path(root))


def fashion_mnist(split: SplitName, root: Path | str) -> Split:
    """Fashion-MNIST (Xiao et al. 2017): 60,000 grey images of 28 x 28; its 10,000 for tests are the validation."""
    return _fetched("FashionMNIST", split, Path(root))


def existing(kind: str, split: SplitName, root: Path, options: Mapping[str, Any], renew: bool) -> Split:
    """Where the source called `kind` has a split, whether it is there or not; nothing is fetched.

    `renew` brings the index of a folder up to date, which may have changed.
    """
    if kind in ("cifar10", "fashion_mnist"):
        return _written(split, root)
    folder = tiny_imagenet_folder(root) if kind == "tiny_imagenet" else root
    return (image_folder if renew else _indexed)(split, folder, **options)


def _indexed(split: SplitName, root: Path, cache: Path | str, val: float = SHARE, seed: int = SEED) -> Split:
    return Split(root, index_place(root, Path(cache), val, seed) / f"{split}.json")


def _fetched(name: str, split: SplitName, root: Path) -> Split:
    place = _written(split, root)
    with alone(root):
        if not place.annotations.is_file():
            write_set(name, split == "train", root, place)
    return place


def _written(split: SplitName, root: Path) -> Split:
    return Split(root / "images" / split, root / "annotations" / f"{split}.json")
