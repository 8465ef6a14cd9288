"""Which label image belongs to which image, and to which split both do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.partition import partition
from tradeoffs.data.convert.reading import SPLITS
from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.labels.image_names import ImageNames
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


Place = tuple[tuple[str, ...], str]  # folders without the words for images and labels, and the name without suffix


def read_pairs(
    root: Path, names: Sequence[str], val: float, seed: int, val_name: str, findings: Findings
) -> dict[str, list[Pair]]:
    """Those of the splits `train` and `val`; `val_name` says which split is for validation.

    By lists, by folders that are called as splits, or by chance: the share `val`. What lacks its partner, or may belong
    to several, is a fault.
    """
    wanted = {"train": SPLITS["train"], "val": _words(val_name)}
    lists = {split: _list(root, words) for split, words in wanted.items()}
    if lists["train"]:
        _require_list(root, lists["train"], lists["val"], val_name)
        found = {split: _listed(root, file, names, findings) for split, file in lists.items()}
    else:
        found = _by_folders(root, names, wanted, findings) or _by_chance(
            _all(root, names, findings), val, seed, findings
        )
    for split, pairs in found.items():
        if not pairs and not findings.faults:
            name = val_name if split == "val" else split
            raise UserError(f"{root} has no label images of the split {name}; {WHAT_IS_READ}")
    return found


def matched(names: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The label image of each image that has one, by equal names, then by names without endings such as `_mask`.

    Where several images, or several label images, share a name, nobody can tell which ones belong together: the second
    dictionary says so of each of them.
    """
    pairs: dict[str, str] = {}
    unclear: dict[str, str] = {}
    for bare in (lambda stem: stem, lambda stem: ENDINGS.sub("", stem)):
        done = {*pairs, *pairs.values(), *unclear}
        images, labels = (_by_place(names, done, bare, kind) for kind in (False, True))
        for place in images.keys() & labels.keys():
            for kind, same in (("images", images[place]), ("label images", labels[place])):
                if len(same) > 1:
                    what = f"{same[0]} and {same[1]} are {kind} of one name"
                    remedy = "move one away, or write lists with both names"
                    unclear |= dict.fromkeys([*images[place], *labels[place]], f"{what}; {remedy}")
            if images[place][0] not in unclear:
                pairs[images[place][0]] = labels[place][0]
    return dict(sorted(pairs.items())), unclear


def _by_place(
    names: Sequence[str], done: Collection[str], bare: Callable[[str], str], of_labels: bool
) -> dict[Place, list[str]]:
    """Images, or label images. They belong together where their places are equal."""
    found, words = defaultdict(list), LABELS if of_labels else IMAGES
    for name in names:
        if name not in done and is_label(name) is of_labels:
            *folders, file = alike(name).split("/")
            parts = (words.sub("", folder, count=1).strip("_-. ") for folder in folders)
            found[tuple(part for part in parts if part), bare(file.rpartition(".")[0])].append(name)
    return found


def is_label(name: str) -> bool:
    """By the folders that it lies in."""
    return any(LABELS.search(folder) for folder in alike(name).split("/")[:-1])


def _all(root: Path, names: Sequence[str], findings: Findings) -> list[Pair]:
    """Images of folders without any label image, as of a test whose labels are kept back, are left out."""
    pairs, unclear = matched(names)
    labels = [name for name in names if is_label(name)]
    if not labels:
        raise UserError(f"{root} has {len(names)} images, but no label images; {WHAT_IS_READ}")
    known, with_labels = {*pairs, *pairs.values(), *unclear}, {name.rpartition("/")[0] for name in pairs}
    for fault in dict.fromkeys(unclear.values()):
        findings.fault(f"{root}: {fault}")
    for name in names:
        if name not in known and (is_label(name) or name.rpartition("/")[0] in with_labels):
            findings.fault(f"{root / name} has no {'image' if is_label(name) else 'label image'} of its name")
    return [Pair(*pair) for pair in pairs.items()]


def _by_folders(
    root: Path, names: Sequence[str], wanted: dict[str, Sequence[str]], findings: Findings
) -> dict[str, list[Pair]] | None:
    """None where no folder is called as one of the splits."""
    if not any(_is_of(name, words) for name in names for words in wanted.values()):
        return None
    pairs = _all(root, names, findings)
    found = {split: [pair for pair in pairs if _is_of(pair.image, words)] for split, words in wanted.items()}
    known = {word for words in SPLITS.values() for word in words}
    if odd := [pair.image for pair in pairs if not _is_of(pair.image, {*known, *wanted["train"], *wanted["val"]})]:
        findings.note("images in no folder of a split, left out", odd[0], len(odd))
    return found


def _is_of(name: str, words: Collection[str]) -> bool:
    """Whether it lies in a folder of the split that is called so: `val`, `images_val`, `valannot`."""
    pattern = LABELS if is_label(name) else IMAGES
    return any(pattern.sub("", part, count=1).strip("_-. ") in words for part in alike(name).split("/")[:-1])


def _words(split: str) -> Sequence[str]:
    """All that a split may be called."""
    return SPLITS.get(split.casefold(), (split.casefold(),))


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


def _require_list(root: Path, train: Path, val: Path | None, val_name: str) -> None:
    """Images of another list must not be trained on because one lacks."""
    if val is None:
        other = next((name for name in ("val", "test") if _list(root, _words(name))), None)
        remedy = f"give data.source.val_name={other}" if other else f"write {train.with_name(f'{val_name}.txt')}, too"
        raise UserError(f"{root} has {train.name}, but no list for validation ({val_name}); {remedy}")


def _listed(root: Path, file: Path, names: Sequence[str], findings: Findings) -> list[Pair]:
    """Of a list with two names a line, or one, that of the image, with its suffix or without."""
    pairs, unclear = matched(names)  # of what the list does not name nobody asks
    finder = ImageNames([*pairs, *(name for name in unclear if not is_label(name))])
    called = {alike(name): name for name in names}
    found: dict[str, Pair] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        text = line.strip().replace("\\", "/")
        pair = _two(text, called) or _one(text, finder, pairs, unclear)
        if isinstance(pair, str):
            findings.fault(f"{file}, line {number}: {pair}")
        elif found.setdefault(pair.image, pair) != pair:
            findings.fault(f"{file}, line {number}: {pair.image} has another label image than before")
    return list(found.values())


def _two(text: str, called: dict[str, str]) -> Pair | str | None:
    """None where there are not two names. Folders above the data set's, which lists of others have, are left out."""
    words = [word.strip() for word in re.split(r"[\t,;]", text) if word.strip()]
    words = words if len(words) == 2 else text.split()
    if len(words) != 2:
        return None
    found = []
    for word in words:
        parts = [part for part in alike(word).split("/") if part not in ("", ".")]
        tails = ("/".join(parts[start:]) for start in range(len(parts)))
        found.append(next((called[tail] for tail in tails if tail in called), None))
    if None in found:
        return f"{words[found.index(None)]} is not there" if any(found) else None
    if is_label(found[0]) and not is_label(found[1]):
        return f"{found[0]} is a label image; a line is IMAGE LABEL_IMAGE"
    return Pair(*found)


def _one(text: str, finder: ImageNames, pairs: dict[str, str], unclear: dict[str, str]) -> Pair | str:
    found = finder.find(text, ())
    if len(found) > 1:
        return f"{text} is the name of several images: {found[0]}, {found[1]}; name it with its folder"
    if not found:
        return f"there is no image {text} with a label image of its name"
    return unclear.get(found[0]) or Pair(found[0], pairs[found[0]])
