"""Where the splits of a data set lie: `source(split)` draws or fetches what is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from filelock import FileLock

from tradeoffs.data.archives import Split, ensure_coco, ensure_voc
from tradeoffs.errors import UserError

SplitName = Literal["train", "val"]

# Where annotations and images usually lie: this project's converters, COCO, Roboflow and others.
ANNOTATION_PLACES = (
    "annotations/{split}.json",
    "annotations/instances_{split}.json",
    "annotations/instances_{split}2017.json",
    "{split}.json",
    "{split}/_annotations.coco.json",
    "person_keypoints_{split}.json",
)
IMAGE_PLACES = ("{split}", "{split}2017", "images/{split}", "images/{split}2017", "images")


def shapes(split: SplitName, root: Path | str, **recipe: int) -> Split:
    """The embedded data set, drawn below `root` on first use; `recipe` as for `make_shapes`."""
    from tradeoffs.data.shapes import make_shapes

    folder = make_shapes(Path(root), **recipe)
    return Split(folder / split, folder / "annotations" / f"{split}.json")


def coco(split: SplitName, root: Path | str) -> Split:
    """COCO 2017; see `ensure_coco`."""
    root = Path(root)
    with _alone(root):
        return ensure_coco(root, (split,))[split]


def voc(split: SplitName, root: Path | str) -> Split:
    """Pascal VOC 07+12; see `ensure_voc`."""
    root = Path(root)
    with _alone(root):
        return ensure_voc(root)[split]


def coco_folder(
    split: SplitName,
    root: Path | str,
    train_annotations: str | None = None,
    train_images: str | None = None,
    val_annotations: str | None = None,
    val_images: str | None = None,
) -> Split:
    """Anybody's data in COCO format; paths are relative to `root`, and the usual ones are tried where none is given."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data.root={root} is no folder; give one with annotations and images in COCO format")
    given = {"train": (train_images, train_annotations), "val": (val_images, val_annotations)}
    images, annotations = given[split]
    return Split(
        _find(root, split, "images", images, IMAGE_PLACES),
        _find(root, split, "annotations", annotations, ANNOTATION_PLACES),
    )


def _find(root: Path, split: str, what: str, given: str | None, places: Sequence[str]) -> Path:
    names = [given] if given else [place.format(split=split) for place in places]
    for name in names:
        if (root / name).exists():
            return root / name
    raise UserError(f"no {split} {what} in {root}: looked for {', '.join(names)}; give data.source.{split}_{what}=PATH")


def _alone(root: Path) -> FileLock:
    """Several processes may start at once and find nothing: one fetches, the others wait."""
    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".lock")
