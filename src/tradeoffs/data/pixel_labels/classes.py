"""What the pixels of label images stand for: names of their values, and colours."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.names import normal
from tradeoffs.errors import UserError

CLASS_LISTS = ("classes.txt", "labels.txt", "label_colors.txt", "class_dict.csv", "classes.csv")
Colour = tuple[int, int, int]
UNKNOWN = -1  # for a colour that is none of the palette
WHAT_IS_READ = "a line for each class: NAME, or VALUE NAME, or NAME,RED,GREEN,BLUE"
IGNORED_NAMES = ("void", "ignore", "ignored", "unlabelled", "unlabeled")
LABELME = "__ignore__"  # the first line of labelme's lists, whose value is -1
HEADER = {*("id", "index", "value", "class", "label", "name", "color", "colour", "r", "g", "b", "red", "green", "blue")}

# How many numbers stand before a name and behind it -> which of them is the value, and which are the colour.
FORMS = {
    (0, 0): (None, None),
    (1, 0): (0, None),
    (0, 1): (0, None),
    (0, 3): (None, slice(0, 3)),
    (3, 0): (None, slice(0, 3)),
    (1, 3): (0, slice(1, 4)),
    (0, 4): (0, slice(1, 4)),
}


class Classes(NamedTuple):
    """By the value of a pixel. Without names every value that occurs is a class, `class 0`, `class 1`, ..."""

    names: dict[int, str]
    colours: dict[Colour, int]  # of label images that are coloured
    ignored: frozenset[int]  # values that are no class

    def name_of(self, value: int) -> str:
        return self.names.get(value, f"class {value}")

    def values_of(self, colours: UInt8[ndarray, "H W 3"]) -> Int64[ndarray, "H W"]:
        """By the palette; `UNKNOWN` for other colours."""
        keys = _key(colours.astype(np.int64))
        known = _key(np.array(list(self.colours), np.int64))
        order, values = np.argsort(known), np.array(list(self.colours.values()), np.int64)
        places = order[np.searchsorted(known, keys, sorter=order).clip(max=len(known) - 1)]
        return np.where(known[places] == keys, values[places], UNKNOWN)


def classes_of(root: Path, given: str | Path | Sequence[str] | Mapping | None, ignored: Sequence[int] | int) -> Classes:
    """From names in the order of their values, names by value, a file, or one that is called as usual in `root`.

    Values of classes that are called `void` or the like are ignored, too. Raises UserError for a file that is none, and
    where a name stands twice.
    """
    if isinstance(given, str | Path):
        file = next((place for place in (Path(given), root / given) if place.is_file()), None)
        if file is None:
            raise UserError(f"data.source.classes={given} does not exist; give a file with {WHAT_IS_READ}")
        names, colours = read_classes(file)
    elif given:
        pairs = given.items() if isinstance(given, Mapping) else enumerate(given)
        names, colours = {int(value): str(name) for value, name in pairs}, {}
        if len(set(names.values())) < len(names):
            raise UserError(f"data.source.classes={list(names.values())} has a name twice; give each class its own")
    else:
        file = next((root / name for name in CLASS_LISTS if (root / name).is_file()), None)
        names, colours = read_classes(file) if file else ({}, {})
    void = {value for value, name in names.items() if name.strip("_").casefold() in IGNORED_NAMES}
    no_class = frozenset({*([ignored] if isinstance(ignored, int) else ignored), *void})
    return Classes({value: name for value, name in names.items() if value not in no_class}, colours, no_class)


def read_classes(file: Path) -> tuple[dict[int, str], dict[Colour, int]]:
    """Names by value, and values by colour. Raises UserError for a line that is neither, and for repeated ones."""
    lines = [(number, line.strip()) for number, line in enumerate(read_text(file).splitlines(), 1)]
    lines = [(number, line) for number, line in lines if line and line[0] != "#" and not _is_header(line)]
    first = -1 if lines and lines[0][1] == LABELME else 0
    names: dict[int, str] = {}
    colours: dict[Colour, int] = {}
    for place, (number, line) in enumerate(lines, first):
        name, value, colour = _entry(line, f"{file}, line {number}")
        value = place if value is None else value
        if name in names.values() or value in names or colour in colours:
            raise UserError(f"{file}, line {number}: {line} repeats an earlier name, value or colour")
        names[value] = name
        colours |= {} if colour is None else {colour: value}
    if not names or (colours and len(colours) < len(names)):
        raise UserError(f"{file} has {'no classes' if not names else 'classes without a colour'}; {WHAT_IS_READ}")
    return names, colours


def _is_header(line: str) -> bool:
    words = {word.casefold() for word in _words(line)}
    return len(words) > 1 and words <= HEADER


def _words(line: str) -> list[str]:
    return [word for word in re.split(r"[\s,;:]+", line) if word]


def _entry(line: str, where: str) -> tuple[str, int | None, Colour | None]:
    """Name, value and colour, of which numbers stand before the name or behind it. Raises UserError for other lines."""
    words = _words(line)
    before = next((place for place, word in enumerate(words) if not word.isdecimal()), len(words))
    behind = next((place for place, word in enumerate(reversed(words)) if not word.isdecimal()), 0)
    name = normal(" ".join(words[before : len(words) - behind]))
    first, last = ([int(word) for word in part] for part in (words[:before], words[len(words) - behind :]))
    clear = (before, behind) != (0, 1) or re.search(r"[,;:\t]", line)  # else `type 1` may be a name
    if not name or not clear or (before, behind) not in FORMS:
        raise UserError(f"{where}: {line!r} may mean several things, or nothing; write {WHAT_IS_READ}")
    of_value, of_colour = FORMS[before, behind]
    numbers = [*first, *last]
    colour = tuple(numbers[of_colour]) if of_colour else None
    if colour and max(colour) > 255:
        raise UserError(f"{where}: {line} has a colour above 255; {WHAT_IS_READ}")
    return name, None if of_value is None else numbers[of_value], colour


def _key(colours: Int64[ndarray, "*N 3"]) -> Int64[ndarray, "*N"]:
    return (colours[..., 0] << 16) + (colours[..., 1] << 8) + colours[..., 2]
