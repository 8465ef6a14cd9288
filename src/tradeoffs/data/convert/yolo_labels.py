"""The lines of YOLO label files: `class centre-x centre-y width height`, each but the class as part of the photo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import Photo, Point
from tradeoffs.data.convert.texts import number_in, read_text

SLIGHT = 0.1  # by which numbers may lie outside 0 to 1: a box over the border, not a box in pixels

WITH_SCORE = "label lines with a sixth number, taken for a score and left out"
WITH_CORNERS = "label lines of four corners, taken for a polygon; its box is upright, also where the object is turned"
WITH_KEYPOINTS = "label lines with keypoints, of which the box is kept"


class Label(NamedTuple):
    number: int
    points: list[Point]  # 0 to 1: two corners of a box, or those of a polygon
    note: str = ""


def mark(photo: Photo, file: Path, names: Mapping[int, str], keypoints: int, findings: Findings) -> None:
    """Adds what the label file says to the photo; `keypoints` is how many numbers of a line belong to keypoints."""
    width, height = photo.marked_size
    seen = set()
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        try:
            label = read_line(line, keypoints)
            name = names[label.number]
        except ValueError as error:
            findings.fault(f"{file}, line {number}: {error}")
            continue
        except KeyError:
            known = f"{len(names)} classes, {min(names)} to {max(names)}" if names else "no class"
            findings.fault(f"{file}, line {number}: there is no class {label.number}; {known} have names")
            continue
        if label.note:
            findings.note(label.note, f"{file.name}, line {number}")
        if (key := str(label[:2])) in seen:
            findings.note("label lines that stand twice in a file, counted once", f"{file.name}, line {number}")
            continue
        seen.add(key)
        points = [(x * width, y * height) for x, y in label.points]
        photo.add(name, points, findings, polygons=[points] if len(points) > 2 else [])


def numbers_in(file: Path) -> set[int]:
    """The class numbers of a file, as far as there are any; `mark` says what is wrong."""
    found = re.findall(r"^\s*(\d+)(?:\.0*)?[\s,;]", read_text(file), re.MULTILINE)
    return set(map(int, found))


def read_line(line: str, keypoints: int = 0) -> Label:
    """Raises ValueError with what is wrong."""
    words = line.split()
    if len(words) >= 5 and any(re.fullmatch(r"\d+,\d+", word) for word in words):
        raise ValueError("numbers are written with commas; write points")
    words = line.replace(",", " ").replace(";", " ").split()
    number, values = _class_number(words[0]), [_number(word) for word in words[1:]]
    count = len(values)
    if keypoints and count in (4 + keypoints, 5 + keypoints):
        return Label(number, _corners(values[:4]), WITH_KEYPOINTS)
    if count in (4, 5):
        return Label(number, _corners(values[:4]), WITH_SCORE if count == 5 else "")
    if count < 6 or count % 2 or keypoints:
        wanted = f"5 or {5 + keypoints}" if keypoints else "5, or a class and at least three points"
        hint = "" if keypoints else "; keypoints need kpt_shape in data.yaml"
        raise ValueError(f"has {count + 1} numbers instead of {wanted}{hint}")
    _require_parts(values)
    return Label(number, list(zip(values[::2], values[1::2], strict=True)), WITH_CORNERS if count == 8 else "")


def _corners(values: list[float]) -> list[Point]:
    _require_parts(values)
    x, y, width, height = values
    if width < 0 or height < 0:
        raise ValueError(f"the box has the size {width:g} x {height:g}")
    return [(x - width / 2, y - height / 2), (x + width / 2, y + height / 2)]


def _require_parts(values: list[float]) -> None:
    far = [value for value in values if not -SLIGHT <= value <= 1 + SLIGHT]
    if far:
        raise ValueError(f"{far[0]:g} is not between 0 and 1; YOLO's numbers are parts of the photo, not pixels")


def _class_number(word: str) -> int:
    """Some tools write 3.0."""
    value = _number(word, "the class ")
    if value < 0 or value != int(value):
        raise ValueError(f"the class {word} is not a whole number of 0 or more")
    return int(value)


def _number(word: str, what: str = "") -> float:
    try:
        return number_in(word)
    except ValueError:
        raise ValueError(f"{what}{word} is not a number") from None
