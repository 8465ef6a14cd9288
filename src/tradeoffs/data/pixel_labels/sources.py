"""Sources of data sets with a class for each pixel: somebody's own folder, and Pascal VOC 2012."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tradeoffs.data.archives import Split, ensure_voc_segmentation, voc_segmentation_folder
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.labels.index import bring_up_to_date, index_place
from tradeoffs.data.pixel_labels.classes import CLASS_LISTS, classes_of
from tradeoffs.data.pixel_labels.index import VOID, write_index
from tradeoffs.data.pixel_labels.pairs import read_pairs
from tradeoffs.data.sources import SplitName, alone
from tradeoffs.errors import UserError

SHARE, SEED, IGNORED = 0.2, 0, (VOID,)

# In the order of their values (Everingham et al. 2010, table 1); 255 are borders and what is too hard.
VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def segmentation_folder(
    split: SplitName,
    root: Path | str,
    cache: Path | str,
    classes: str | Sequence[str] | None = None,
    ignore: Sequence[int] | int = IGNORED,
    val: float = SHARE,
    seed: int = SEED,
    val_name: str = "val",
) -> Split:
    """Anybody's images with label images of equal names; see `pairs.read_pairs` and `classes.classes_of`.

    The images stay where they are. The mask of each class is written below `cache`, in COCO format, once, and again
    when anything in the folder has changed.
    """
    root, cache = Path(root), Path(cache)
    if not root.is_dir():
        raise UserError(f"data.root={root} is no folder; give one that holds images and their label images")
    if not 0 < val < 1:
        raise UserError(f"data.source.val={val:g} is impossible; give the share of the images for validation, as 0.2")
    folder = _place(root, cache, classes, ignore, val, seed, val_name)

    def write(names: list[str]) -> None:
        findings = Findings()
        known = classes_of(root, classes, ignore)
        write_index(root, read_pairs(root, names, val, seed, val_name, findings), known, folder, findings)

    with alone(folder):
        bring_up_to_date(root, folder, write)
    return Split(root, folder / f"{split}.json")


def voc_segmentation(split: SplitName, root: Path | str, cache: Path | str) -> Split:
    """Pascal VOC 2012: 1,464 images for training and 1,449 for validation, 20 classes and background."""
    with alone(Path(root)):
        folder = ensure_voc_segmentation(Path(root))
    return segmentation_folder(split, folder, cache, VOC_CLASSES)


def existing(kind: str, split: SplitName, root: Path, options: Mapping[str, Any], renew: bool) -> Split:
    """Where the source called `kind` has a split, whether it is there or not; nothing is fetched."""
    if kind == "voc_segmentation":
        root, options = voc_segmentation_folder(root), {**options, "classes": VOC_CLASSES}
    if renew:
        return segmentation_folder(split, root, **options)
    settings = {"classes": None, "ignore": IGNORED, "val": SHARE, "seed": SEED, "val_name": "val"} | dict(options)
    return Split(root, _place(root, Path(settings.pop("cache")), **settings) / f"{split}.json")


def _place(
    root: Path, cache: Path, classes: object, ignore: Sequence[int] | int, val: float, seed: int, val_name: str
) -> Path:
    """Another one where a list of classes says something else."""
    files = [root / name for name in CLASS_LISTS] if classes is None else [Path(str(classes)), root / str(classes)]
    lists = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()]
    as_written = dict if isinstance(classes, Mapping) else str if isinstance(classes, str) else list
    names = classes if classes is None else as_written(classes)
    ignored = [ignore] if isinstance(ignore, int) else sorted(ignore)
    return index_place(root, cache, names, lists, ignored, val, seed, val_name, kind="pixels")
