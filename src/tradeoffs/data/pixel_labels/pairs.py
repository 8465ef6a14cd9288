"""Which label image belongs to which image, and to which split both do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.partition import partition
from tradeoffs.data.convert.reading import SPLITS
from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.names import alike
from tradeoffs.errors import UserError

LABELS = re.compile(
    r"(?:^|[_\-. ])(?:labels?|masks?|annotations?|annots?|gt|ground_?truth|segmentations?|segmentationclass(?:aug)?)"
    r"(?=$|[_\-. ])|annots?$"
)
IMAGES = re.compile(r"(?:^|[_\-. ])(?:images?|imgs?|photos?|jpegimages|frames?|rgb)(?=$|[_\-. ])")
ENDINGS = re.compile(r"_(?:labels?|masks?|gt|l|seg|segmentation|annotation|image|img)$")
LIST_PLACES = ("{}.txt", "ImageSets/Segmentation/{}.txt", "lists/{}.txt", "splits/{}.txt")
WHAT_IS_READ = (
    "give a folder of images and one of label images with equal names (images/ and labels/, each with train/ and val/ "
    "or without), or lists train.txt and val.txt with a line for each: IMAGE LABEL_IMAGE"
)


class Pair(NamedTuple):
    """Names of files below the data set's folder."""

    image: str
    label: str


def read_pairs(
    root: Path, names: Sequence[str], val: float, seed: int, val_name: str, findings: Findings
) -> dict[str, list[Pair]]:
    """Those of the splits `train` and `val`; `val_name` says which split is for validation.

    By lists, by folders that are called as splits, or by chance: the share `val`. What lacks its partner is a fault.
    """
    images, labels = by_place(names)
    wanted = {"train": SPLITS["train"], "val": SPLITS["val"] if val_name == "val" else (val_name,)}
    lists = {split: _list(root, words) for split, words in wanted.items()}
    if all(lists.values()):
        found = {split: _listed(root, file, images, labels, findings) for split, file in lists.items()}
    else:
        pairs = _matched(root, images, labels, findings)
        found = {
            split: [pair for place, pair in pairs.items() if _is_of(place, words)] for split, words in wanted.items()
        }
        if not found["train"] and not found["val"]:
            found = _by_chance(list(pairs.values()), val, seed, findings)
    for split, pairs in found.items():
        if not pairs and not findings.faults:
            raise UserError(
                f"{root} has no label images of the split {val_name if split == 'val' else split}; {WHAT_IS_READ}"
            )
    return found


Place = tuple[tuple[str, ...], str]  # folders without the words for images and labels, and the name without its ending


def by_place(names: Sequence[str]) -> tuple[dict[Place, str], dict[Place, str]]:
    """Images and label images. They belong together where their places are equal."""
    images: dict[Place, str] = {}
    labels: dict[Place, str] = {}
    for name in names:
        *folders, file = alike(name).split("/")
        stem = file.rpartition(".")[0]
        if any(LABELS.search(folder) for folder in folders):
            labels.setdefault((_bare(folders, LABELS), ENDINGS.sub("", stem)), name)
        else:
            images.setdefault((_bare(folders, IMAGES), ENDINGS.sub("", stem)), name)
    return images, labels


def _bare(folders: Sequence[str], words: re.Pattern) -> tuple[str, ...]:
    bare = (words.sub("", folder, count=1).strip("_-. ") for folder in folders)
    return tuple(folder for folder in bare if folder)


def _matched(root: Path, images: dict, labels: dict, findings: Findings) -> dict[Place, Pair]:
    """Images of a split without any label image, as for a test whose labels are kept back, are left out."""
    if not labels:
        raise UserError(f"{root} has {len(images)} images, but no label images; {WHAT_IS_READ}")
    for place, name in labels.items():
        if place not in images:
            findings.fault(f"{root / name} has no image of its name")
    labelled = {folders for folders, _ in labels}
    for place, name in images.items():
        if place not in labels and place[0] in labelled:
            findings.fault(f"{root / name} has no label image of its name")
    return {place: Pair(images[place], labels[place]) for place in images if place in labels}


def _is_of(place: Place, words: Sequence[str]) -> bool:
    return any(folder in words for folder in place[0])


def _by_chance(pairs: Sequence[Pair], val: float, seed: int, findings: Findings) -> dict[str, list[Pair]]:
    if len(pairs) < 2:
        if not findings.faults:
            findings.fault(f"{len(pairs)} images with label images; training and validation need one each")
        return {"train": list(pairs), "val": []}
    chosen = {*partition([pair.image for pair in pairs], val, seed)[1]}
    findings.note(
        f"split by chance, seed {seed}: {len(pairs) - len(chosen)} images for training, {len(chosen)} for validation"
    )
    return {
        "train": [pair for pair in pairs if pair.image not in chosen],
        "val": [pair for pair in pairs if pair.image in chosen],
    }


def _list(root: Path, words: Sequence[str]) -> Path | None:
    places = (root / place.format(word) for word in words for place in LIST_PLACES)
    return next((place for place in places if place.is_file()), None)


def _listed(root: Path, file: Path, images: dict, labels: dict, findings: Findings) -> list[Pair]:
    """Of a list with two names a line, or one, that of the image, with its ending or without."""
    of_stem: dict[str, list[tuple[Place, str]]] = {}
    for place, name in images.items():
        of_stem.setdefault(place[1], []).append((place, name))
    everything = {*images.values(), *labels.values()}
    found: dict[str, Pair] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        words = line.replace("\\", "/").replace(",", " ").split()
        if not words:
            continue
        where = f"{file}, line {number}"
        pair = _two(words, everything) if len(words) == 2 else _one(words, of_stem, labels)
        if isinstance(pair, str):
            findings.fault(f"{where}: {pair}")
        elif found.setdefault(pair.image, pair) != pair:
            findings.fault(f"{where}: {pair.image} has another label image than before")
    return list(found.values())


def _two(words: Sequence[str], everything: set[str]) -> Pair | str:
    """Folders above the data set's, which lists of other machines have, are left out."""
    found = []
    for word in words:
        parts = [part for part in word.split("/") if part not in ("", ".")]
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        found.append(next((tail for tail in tails if tail in everything), None))
        if found[-1] is None:
            return f"{word} is not there"
    return Pair(*found)


def _one(words: Sequence[str], of_stem: dict, labels: dict) -> Pair | str:
    if len(words) != 1:
        return f"{' '.join(words)} is neither IMAGE LABEL_IMAGE nor the name of an image"
    file = alike(words[0]).rpartition("/")[2]
    stems = dict.fromkeys((file, file.rpartition(".")[0]))
    candidates = [each for stem in stems for each in of_stem.get(ENDINGS.sub("", stem), ())]
    if not candidates:
        return f"there is no image {words[0]}"
    # An image's labels stand at its place, or, where there is but one of its name, anywhere.
    anywhere = [name for (_, stem), name in labels.items() if stem == candidates[0][0][1]]
    label = labels.get(candidates[0][0]) or (anywhere[0] if len(anywhere) == 1 else None)
    return Pair(candidates[0][1], label) if label else f"{candidates[0][1]} has no label image of its name"
