"""Which classes there are, in which order, and what they are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.names import normal
from tradeoffs.errors import UserError

CLASS_LISTS = ("classes.txt", "labels.txt")
SYNSETS = ("LOC_synset_mapping.txt", "words.txt")  # ImageNet's ids of classes with words for them


def in_order(names: Iterable[str]) -> list[str]:
    """Each once, by the alphabet, numbers by their value: `class2` comes before `class10`.

    ImageNet's ids are all of one length, so they are in plain order, which is that of the classes of its published
    weights.
    """
    return sorted(set(names), key=lambda name: (_natural(name), name))


def class_list(root: Path) -> list[str] | None:
    """The names that a file lists, a line each; None where there is none. Raises UserError where one stands twice."""
    file = next((root / name for name in CLASS_LISTS if (root / name).is_file()), None)
    if file is None:
        return None
    names = [normal(line.strip()) for line in read_text(file).splitlines() if line.strip()]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{file} has the class {twice[0]} more than once; give each line another name")
    return names or None


def meanings(names: Sequence[str]) -> dict[str, str]:
    """What may stand in a list -> the class: its name, or its place among the names, counted from 0."""
    return {str(place): name for place, name in enumerate(names)} | {name: name for name in names}


def readable(root: Path, classes: Sequence[str]) -> list[str]:
    """The classes as people call them: by the first word that a file in `root` has for an ImageNet id.

    Where several are called alike (there are two cranes), the id is added.
    """
    words = _synset_words(root)
    names = [words.get(each, each) for each in classes]
    times = Counter(names)
    return [name if times[name] == 1 else f"{name} ({each})" for name, each in zip(names, classes, strict=True)]


def _natural(name: str) -> list[str | int]:
    """Text and number in turns."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name.casefold()))]


def _synset_words(root: Path) -> dict[str, str]:
    file = next((root / name for name in SYNSETS if (root / name).is_file()), None)
    lines = (line.split(maxsplit=1) for line in read_text(file).splitlines()) if file else ()
    return {parts[0]: parts[1].partition(",")[0].strip() for parts in lines if len(parts) == 2}
