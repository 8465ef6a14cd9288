"""The labels of a folder, written down in COCO format elsewhere, and anew when anything in the folder has changed."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from tradeoffs.data.annotation_file import no_garbage_collection
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import files_below
from tradeoffs.data.convert.split import Picture, write_split
from tradeoffs.data.kept_files import file_stamps
from tradeoffs.data.labels.class_names import readable
from tradeoffs.data.labels.layout import read_labels
from tradeoffs.data.labels.reading import Labelled
from tradeoffs.data.names import IMAGE_SUFFIXES
from tradeoffs.data.pixels import ImageSize, image_size
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole

log = logging.getLogger(__name__)

VERSION = 1  # raised when something else is written for the same folder
LISTING = "listing.sha256"
UNREADABLE = ImageSize(1, 1)  # the check of the data set says what is wrong with it


def index_folder(root: Path, cache: Path, val: float, seed: int) -> Path:
    """Where the labels stand that each image has as a whole, or in a box: `index_place`, brought up to date.

    `val` and `seed` are for a folder that is not split, see `read_labels`, which says what is raised as well.
    """
    folder = index_place(root, cache, val, seed)
    bring_up_to_date(root, folder, lambda images: _write(root, images, folder, val, seed))
    return folder


def bring_up_to_date(root: Path, folder: Path, write: Callable[[list[str]], None]) -> None:
    """Calls `write` with the names of all images below `root`, unless it has written `folder` for just these files."""
    names = listing(root)
    state = hashlib.sha256("\n".join(names).encode("utf-8", "surrogateescape"))
    state.update(file_stamps(root, names).tobytes())
    kept = folder / LISTING
    if kept.is_file() and kept.read_text() == state.hexdigest():
        return
    kept.unlink(missing_ok=True)
    with no_garbage_collection():
        write([name for name in names if _suffix(name) in IMAGE_SUFFIXES])
    write_whole(kept, state.hexdigest())


def index_place(root: Path, cache: Path, *settings: object, kind: str = "labels") -> Path:
    """A folder below `cache` for `train.json` and `val.json`; another for each `root` and for other settings."""
    root = root.resolve()
    told = "\n".join(map(str, (VERSION, root, *settings)))
    return cache / f"{root.name}-{kind}-{hashlib.sha256(told.encode('utf-8', 'surrogateescape')).hexdigest()[:8]}"


def listing(root: Path) -> list[str]:
    """The names of all files below `root` that are images or may say labels, sorted."""
    start = len(str(root / "x")) - 1
    names = (str(path)[start:].replace("\\", "/") for path in files_below(root))
    return sorted(name for name in names if _suffix(name) in IMAGE_SUFFIXES or _suffix(name) in (".txt", ".csv"))


def _suffix(name: str) -> str:
    return name[name.rfind(".") :].lower()


def _write(root: Path, images: Sequence[str], folder: Path, val: float, seed: int) -> None:
    if not images:
        raise UserError(f"{root} has no images; give the folder that holds those to learn from, with their labels")
    findings = Findings()
    labels = read_labels(root, images, val, seed, findings)
    names = dict(zip(labels.classes, readable(root, labels.classes), strict=True))
    for split, part in (("train", labels.train), ("val", labels.val)):
        write_split(_pictures(root, sorted(part), names), list(names.values()), folder / f"{split}.json")
    for line in findings.lines():
        log.warning(f"{root}: {line}")
    log.info(f"{root}: {len(labels.train)} images for training, {len(labels.val)} for validation")


def _pictures(root: Path, part: Sequence[Labelled], names: dict[str, str]) -> list[Picture]:
    sizes = _sizes(root, [each.name for each in part])
    return [
        whole_image(name, width, height, names[label], box)
        for (name, label, box), (width, height, _) in zip(part, sizes, strict=True)
    ]


def whole_image(file_name: str, width: int, height: int, class_name: str, box: list[int] | None = None) -> Picture:
    """An image with one label, which is that of the whole image where there is no box."""
    box = box or [0, 0, width, height]
    thing = {"name": class_name, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
    return Picture(file_name, width, height, [thing])


def _sizes(root: Path, names: Sequence[str]) -> list[ImageSize]:
    def size(name: str) -> ImageSize:
        try:
            return image_size(root / name)
        except UserError:
            return UNREADABLE

    with ThreadPoolExecutor(16) as pool:
        return list(tqdm(pool.map(size, names), "reading sizes", len(names), leave=False, delay=1))
