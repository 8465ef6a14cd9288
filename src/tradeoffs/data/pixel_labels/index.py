"""The label images of a folder, written down once in COCO format: for each class of an image the mask of its pixels."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from tradeoffs.data.annotation_file import write_annotation_file
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.pixel_labels.classes import Classes
from tradeoffs.data.pixel_labels.label_image import masks_of, read_values
from tradeoffs.data.pixel_labels.pairs import Pair
from tradeoffs.data.pixels import ImageSize, image_size
from tradeoffs.errors import UserError

log = logging.getLogger(__name__)

VOID = 255
FAR, FEW = 16, 5  # values a class from which on they are no numbers of classes; values that are named


class Labelled(NamedTuple):
    """An image, and by the value of a class where it is, as a COCO annotation without ids."""

    image: str
    size: ImageSize
    masks: dict[int, dict]


def write_index(root: Path, pairs: Mapping[str, Sequence[Pair]], classes: Classes, folder: Path, findings: Findings):
    """Writes `folder/train.json` and `folder/val.json`. What is wrong with any of the files is said at once."""
    read = {split: _read_all(root, part, classes, findings) for split, part in pairs.items()}
    findings.require_none()
    occurring = Counter(value for part in read.values() for each in part for value in each.masks)
    _require_classes(root, occurring, classes)
    if empty := [each.image for part in read.values() for each in part if not each.masks]:
        findings.note("images of which nothing is labelled", empty[0], len(empty))
    _note_ignored(read, findings)
    names = {value: classes.name_of(value) for value in sorted(classes.names or occurring)}
    for split, part in read.items():
        write_annotation_file(_content(part, names), folder / f"{split}.json")
    for line in findings.lines():
        log.warning(f"{root}: {line}")
    log.info(
        f"{root}: {len(read['train'])} images for training, {len(read['val'])} for validation, {len(names)} classes"
    )


def _read_all(root: Path, pairs: Sequence[Pair], classes: Classes, findings: Findings) -> list[Labelled]:
    def read(pair: Pair) -> Labelled | UserError:
        try:
            size = image_size(root / pair.image)
            label = root / pair.label
            return Labelled(pair.image, size, masks_of(read_values(label, size, classes), classes, label))
        except UserError as fault:
            return fault

    with ThreadPoolExecutor() as pool:
        found = list(tqdm(pool.map(read, pairs), "reading label images", len(pairs), leave=False, delay=1))
    for fault in (each for each in found if isinstance(each, UserError)):
        findings.fault(str(fault))
    return [each for each in found if isinstance(each, Labelled)]


def _require_classes(root: Path, occurring: Mapping[int, int], classes: Classes) -> None:
    """Two at least. A mask of 0 and 255 would lose all that it marks, because 255 is usually no class."""
    if set(occurring) == {0} and VOID in classes.ignored:
        raise UserError(
            f"{root}: the label images have no class but 0, because {VOID} is left out; if {VOID} is what they mark, "
            "give data.source.ignore=[]"
        )
    if not classes.names and VOID in classes.ignored and max(occurring, default=0) >= FAR * max(len(occurring), 2):
        few = ", ".join(map(str, sorted(occurring)[:FEW])) + (", ..." if len(occurring) > FEW else "")
        raise UserError(
            f"{root}: the values of the label images ({few}) lie far apart, as levels of grey do; say what is a class "
            "by data.source.classes=FILE, a line VALUE NAME for each, and what is none by data.source.ignore, now "
            f"{sorted(classes.ignored)}"
        )
    if len(occurring) < 2:
        raise UserError(f"{root}: the label images have {len(occurring)} class alone; two are the least")


def _note_ignored(read: Mapping[str, Sequence[Labelled]], findings: Findings) -> None:
    """How much is neither learned nor scored."""
    for split, part in read.items():
        total = sum(each.size.width * each.size.height for each in part)
        labelled = sum(mask["area"] for each in part for mask in each.masks.values())
        if labelled < total:
            findings.note(f"{split}: {100 * (1 - labelled / total):.3g} % of the pixels have no class and are left out")


def _content(labelled: Sequence[Labelled], names: Mapping[int, str]) -> dict:
    """A class's id is the value of its pixels. All of them are stuff: what is not labelled is not scored."""
    images, annotations = [], []
    for image_id, each in enumerate(labelled, 1):
        size = {"width": each.size.width, "height": each.size.height}
        images.append({"id": image_id, "file_name": each.image, **size})
        for value, mask in each.masks.items():
            ids = {"id": len(annotations) + 1, "image_id": image_id, "category_id": value}
            annotations.append(ids | mask)
    categories = [{"id": value, "name": name, "isthing": 0} for value, name in names.items()]
    return {"images": images, "annotations": annotations, "categories": categories}
