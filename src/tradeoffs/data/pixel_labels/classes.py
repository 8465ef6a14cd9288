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
UNKNOWN = -1  # for a colour that is none of the palette
WHAT_IS_READ = "a line for each class: NAME, or VALUE NAME, or NAME,RED,GREEN,BLUE"
IGNORED_NAMES = ("void", "ignore", "ignored", "unlabelled", "unlabeled")


class Classes(NamedTuple):
    """By the value of a pixel. Without names every value that occurs is a class, `class 0`, `class 1`, ..."""

    names: dict[int, str]
    colours: dict[tuple[int, int, int], int]  # of label images that are coloured
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


def classes_of(root: Path, given: str | Path | Sequence[str] | Mapping | None, ignored: Sequence[int]) -> Classes:
    """From a list of names in the order of their values, a file, or one that is called as usual in `root`.

    Values of classes that are called `void` or the like are ignored, too. Raises UserError for a file that is none.
    """
    if isinstance(given, str | Path):
        file = next((place for place in (Path(given), root / given) if place.is_file()), None)
        if file is None:
            raise UserError(f"data.source.classes={given} does not exist; give a file with {WHAT_IS_READ}")
        names, colours = read_classes(file)
    elif given:
        names, colours = dict(enumerate(map(str, given))), {}
    else:
        file = next((root / name for name in CLASS_LISTS if (root / name).is_file()), None)
        names, colours = read_classes(file) if file else ({}, {})
    void = {value for value, name in names.items() if name.casefold() in IGNORED_NAMES}
    no_class = frozenset({*ignored, *void})
    return Classes({value: name for value, name in names.items() if value not in no_class}, colours, no_class)


def read_classes(file: Path) -> tuple[dict[int, str], dict[tuple[int, int, int], int]]:
    """Names by value, and values by colour. Raises UserError for a line that is neither, and for repeated ones."""
    names: dict[int, str] = {}
    colours: dict[tuple[int, int, int], int] = {}
    lines = [(number, line.strip()) for number, line in enumerate(read_text(file).splitlines(), 1) if line.strip()]
    if lines and re.fullmatch(r"name\s*,\s*r\w*\s*,\s*g\w*\s*,\s*b\w*", lines[0][1], re.IGNORECASE):
        lines = lines[1:]
    for place, (number, line) in enumerate(lines):
        name, value, colour = _entry(line, place)
        if name in names.values() or value in names or colour in colours:
            raise UserError(f"{file}, line {number}: {line} repeats an earlier name, value or colour")
        if colour is not None and max(colour) > 255:
            raise UserError(f"{file}, line {number}: {line} has a colour above 255; {WHAT_IS_READ}")
        names[value] = name
        colours |= {} if colour is None else {colour: value}
    if not names or (colours and len(colours) < len(names)):
        raise UserError(f"{file} has {'no classes' if not names else 'classes without a colour'}; {WHAT_IS_READ}")
    return names, colours


def _entry(line: str, place: int) -> tuple[str, int, tuple[int, int, int] | None]:
    """Name, value and colour. Colours stand behind the name, or before it as SegNet's CamVid has them."""
    if match := re.fullmatch(r"(.+?)[\s,]+(\d+)[\s,]+(\d+)[\s,]+(\d+)", line):
        name, *colour = match.groups()
        return normal(name), place, tuple(map(int, colour))
    if match := re.fullmatch(r"(\d+)\s+(\d+)\s+(\d+)\s+(\D.*)", line):
        *colour, name = match.groups()
        return normal(name), place, tuple(map(int, colour))
    if match := re.fullmatch(r"(\d+)[\s,:]+(\S.*)", line):
        return normal(match[2]), int(match[1]), None
    return normal(line), place, None


def _key(colours: Int64[ndarray, "*N 3"]) -> Int64[ndarray, "*N"]:
    return (colours[..., 0] << 16) + (colours[..., 1] << 8) + colours[..., 2]
