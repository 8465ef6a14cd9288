"""Which images are for training and which for validation, and with which labels, in the layouts that are common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.partition import partition
from tradeoffs.data.convert.reading import SPLITS
from tradeoffs.data.labels.class_names import class_list, in_order
from tradeoffs.data.labels.reading import Labelled, read_source
from tradeoffs.data.names import normal
from tradeoffs.errors import UserError

WHAT_IS_READ = (
    "give a folder for each class (train/CLASS/* and val/CLASS/*, or CLASS/*), lists (train.txt and val.txt, a line: "
    "path,label) or tables (labels.csv, or train.csv and val.csv, with columns file and label)"
)
VALIDATION_LISTS = ("val/val_annotations.txt", "LOC_val_solution.csv")  # Tiny ImageNet's, Kaggle's of ImageNet
SPLIT_NAMES = {word for words in SPLITS.values() for word in words}
MOST_NAMED = 5  # classes


class Labels(NamedTuple):
    """Both splits have these classes, in this order."""

    classes: list[str]
    train: list[Labelled]
    val: list[Labelled]


def read_labels(root: Path, images: Sequence[str], val: float, seed: int, findings: Findings) -> Labels:
    """Of the `images`, which are named from the folder `root` on.

    Where nothing says which are for validation, the share `val` of each class becomes it by chance. Raises UserError
    for a folder without labels, images that are named but not there, a class of images for validation alone, and for
    fewer than two classes.
    """
    source = _source(root, images, "train") or _undivided(root, images)
    listed = None if source.is_dir() else class_list(root)
    train = read_source(source, root, images, SPLITS["train"], listed, findings)
    _require_classes(source, train)
    classes = listed or in_order(each.label for each in train)
    for name in SPLIT_NAMES.intersection(classes) if source == root else ():
        findings.note(f"the folder {name} is taken for a class: beside it are folders that are no splits")
    known = classes if source.is_dir() else listed
    if place := _source(root, images, "val"):
        validation = read_source(place, root, images, SPLITS["val"], known, findings)
        _require_trained(root, validation, train)
        return Labels(classes, train, validation)
    if validation := _of_tests(root, images, known, train, findings):
        return Labels(classes, train, validation)
    if source.is_dir() and source != root:
        _require_no_images_for_validation(root, images)
    return Labels(classes, *_divide(train, val, seed, findings))


def _source(root: Path, images: Sequence[str], split: str) -> Path | None:
    """The list, the table or the folder of classes that says the labels of a split."""
    lists = [f"{word}{suffix}" for word in SPLITS[split] for suffix in (".csv", ".txt")]
    for name in (*lists, *(VALIDATION_LISTS if split == "val" else ())):
        if (root / name).is_file():
            return root / name
    folders = {name.split("/", 1)[0] for name in images if name.count("/") > 1}
    called = {folder.lower(): root / folder for folder in folders}
    return next((called[word] for word in SPLITS[split] if word in called), None)


def _undivided(root: Path, images: Sequence[str]) -> Path:
    """What says the labels of images of no split: a table, or the folder itself."""
    if (root / "labels.csv").is_file():
        return root / "labels.csv"
    if {name.split("/", 1)[0].lower() for name in images if "/" in name} <= SPLIT_NAMES:
        raise UserError(f"{root} has {len(images)} images, but none with a label for training; {WHAT_IS_READ}")
    return root


def _of_tests(
    root: Path, images: Sequence[str], known: Sequence[str] | None, train: Sequence[Labelled], findings: Findings
) -> list[Labelled]:
    """A split for tests, which is taken for want of one for validation; nothing where its labels are kept back."""
    source = _source(root, images, "test")
    with suppress(UserError):
        found = read_source(source, root, images, SPLITS["test"], known, findings) if source else []
        _require_trained(root, found, train)
        if found:
            findings.note(f"there is no split for validation; the split {source.stem} is taken")
        return found
    return []


def _require_trained(root: Path, validation: Sequence[Labelled], train: Sequence[Labelled]) -> None:
    only = in_order({each.label for each in validation} - {each.label for each in train})
    if only:
        names = ", ".join(only[:MOST_NAMED]) + (", ..." if len(only) > MOST_NAMED else "")
        raise UserError(f"{root} has images of {names} for validation, but none for training; each class needs some")


def _require_no_images_for_validation(root: Path, images: Sequence[str]) -> None:
    """Of which nothing says the classes."""
    if name := next((name for name in images if name.split("/", 1)[0].lower() in SPLITS["val"]), None):
        raise UserError(
            f"{root / name} is for validation, but nothing says its class; put such images into a folder for each "
            f"class, or write {root / 'val.txt'} with a line for each: path,label"
        )


def _require_classes(source: Path, train: Sequence[Labelled]) -> None:
    """Two at least; and images in each folder that is one."""
    classes = in_order(each.label for each in train)
    inside = source.iterdir() if source.is_dir() else ()
    folders = sorted(path for path in inside if path.is_dir() and path.name[0] not in "._")
    if empty := [path for path in folders if normal(path.name) not in classes]:
        raise UserError(f"{empty[0]} has no images; each folder there is a class, put some into it or remove it")
    if len(classes) < 2:
        nested = source.is_dir() and any((source / classes[0]).glob("*/"))
        remedy = f"if {source / classes[0]} is the data set, give that as data.root" if nested else WHAT_IS_READ
        raise UserError(f"{source} has images of one class alone, {classes[0]}; two are the least; {remedy}")


def _divide(
    images: Sequence[Labelled], share: float, seed: int, findings: Findings
) -> tuple[list[Labelled], list[Labelled]]:
    """By chance, of each class alike; a class of one image is for training."""
    of_class = defaultdict(list)
    for each in images:
        of_class[each.label].append(each.name)
    several = [names for names in of_class.values() if len(names) > 1]
    if not several:
        raise UserError("each class has one image alone, so that none is left for validation; give two or more of each")
    chosen = {name for names in several for name in partition(names, share, seed)[1]}
    findings.note(
        f"split by chance, seed {seed}: {len(images) - len(chosen)} images for training, {len(chosen)} for validation"
    )
    return [each for each in images if each.name not in chosen], [each for each in images if each.name in chosen]
