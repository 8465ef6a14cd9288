"""What lists and tables of labels say. Whether an image is there, and what its label means, is another question."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.texts import read_text
from tradeoffs.errors import UserError

# Of a table's header, the likeliest first; capitals, blanks, - and _ make no difference.
IMAGE_COLUMNS = (
    *("file", "filename", "filepath", "path", "image", "imagename", "imagepath", "imagefile", "img", "imageid", "id"),
)
BOXES_TOO = "predictionstring"  # Kaggle's ImageNet: the label, then boxes
LABEL_COLUMNS = ("label", "labels", "class", "classname", "category", "target", BOXES_TOO)

Corners = tuple[int, int, int, int]  # left, top, right, bottom; the pixels there are included


class Entry(NamedTuple):
    """One line."""

    where: str  # it stands, for people
    image: str  # the path, name or stem that is written there
    label: str
    corners: Corners | None = None


def read_entries(file: Path) -> list[Entry]:
    """Of a table (`.csv`), of Tiny ImageNet's `val_annotations.txt`, or of lines `path label` or `path,label`.

    Raises UserError with all lines that are none of these, and where there is no line.
    """
    faults = Findings()
    if file.suffix == ".csv":
        found = _table(file)
    elif file.name == "val_annotations.txt":
        found = [Entry(*words) for words in read_corners(file, faults, more=1)]
    else:
        found = _list(file)
    for entry in found:
        if not (entry.image and entry.label):
            faults.fault(f"{entry.where} has no {'label' if entry.image else 'image'}; each image needs one label")
    faults.require_none()
    if not found:
        raise UserError(f"{file} is empty; give a line for each image: its path and its label")
    return found


def read_corners(file: Path, faults: Findings, more: int = 0) -> list[tuple]:
    """Tiny ImageNet's lines: where each stands, the image's name, `more` other words, four corners."""
    found = []
    for where, line in _lines(file):
        words = line.split()
        if len(words) == 5 + more and all(re.fullmatch(r"\d+", word) for word in words[-4:]):
            found.append((where, *words[:-4], tuple(map(int, words[-4:]))))
        else:
            faults.fault(f"{where} is no image with {'label and ' if more else ''}corners: left, top, right, bottom")
    return found


def _list(file: Path) -> list[Entry]:
    found = []
    for where, line in _lines(file):
        separator = next((each for each in "\t," if each in line), None)  # else the last blank
        image, *label = (part.strip() for part in line.rsplit(separator, 1))
        found.append(Entry(where, image, *(label or [""])))
    return found


def _lines(file: Path) -> list[tuple[str, str]]:
    """Those that are not empty, with the place of each."""
    numbered = enumerate(read_text(file).splitlines(), 1)
    return [(f"{file}, line {number}", line.strip()) for number, line in numbered if line.strip()]


def _table(file: Path) -> list[Entry]:
    text = read_text(file)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=text.partition("\n")[0].count))
    header = next(rows, [])
    columns = [re.sub(r"[\s_-]", "", name).lower() for name in header]
    image, label = (next((name for name in names if name in columns), None) for names in (IMAGE_COLUMNS, LABEL_COLUMNS))
    if image is None or label is None:
        raise UserError(
            f"{file} has the columns {', '.join(header) or '(none)'}; its first line must name one for the image "
            "(file, filename, image, path, id) and one for the label (label, class, category, target)"
        )
    found = []
    for row in filter(any, rows):
        cells = dict(zip(columns, map(str.strip, row), strict=False))
        value = cells.get(label, "")
        where = f"{file}, line {rows.line_num}"
        found.append(Entry(where, cells.get(image, ""), value.partition(" ")[0] if label == BOXES_TOO else value))
    return found
