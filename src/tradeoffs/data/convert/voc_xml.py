"""One annotation of Pascal VOC: an XML file, as the many tools that write them leave it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.texts import number_in
from tradeoffs.data.convert.xml_files import UNREADABLE, read_root
from tradeoffs.errors import UserError

EDGES = ("xmin", "ymin", "xmax", "ymax")
YES, NO = ("true", "yes", "y"), ("", "false", "no", "n", "unspecified", "none", "null")


class VocObject(NamedTuple):
    """`box` holds the edges as the file counts them: from 1, the last pixel included. None where there is no box."""

    name: str
    box: list[float] | None
    difficult: bool


class VocAnnotation(NamedTuple):
    path: Path
    file_name: str  # the last part of <filename>, which may be that of a photo long renamed
    size: tuple[int, int] | None  # width and height of the photo that was annotated, where the file says so
    objects: list[VocObject]


def read_annotation(path: Path, findings: Findings) -> VocAnnotation:
    """Raises UserError, naming the file, for what cannot be read as one; notes what was put right."""
    root = read_root(path, findings)
    if root.tag != "annotation":
        raise UserError(f"{path} is no annotation of Pascal VOC: its root is <{root.tag}>, not <annotation>")
    name = (root.findtext("filename") or "").strip().replace("\\", "/").rpartition("/")[2]
    objects = [_object(element, path, findings) for element in _object_elements(root)]
    return VocAnnotation(path, name, _size(root, path), objects)


def _object_elements(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall("object") or root.findall(".//object")  # some tools put them into <objects>


def _object(element: ElementTree.Element, path: Path, findings: Findings) -> VocObject:
    name = " ".join((element.findtext("name") or "").split())
    if not name:
        raise UserError(f"{path}: an object has no name; give it one, as <name>cat</name>")
    if UNREADABLE in name:
        raise UserError(f"{path}: the name {name!r} is not in the encoding of the file; save the file as UTF-8")
    return VocObject(name, _box(element, name, path), _is_difficult(element, path, findings))


def _box(element: ElementTree.Element, name: str, path: Path) -> list[float] | None:
    boxes = element.findall("bndbox")
    if len(boxes) > 1:
        raise UserError(f"{path}: an object {name} has {len(boxes)} <bndbox>; give each box an <object> of its own")
    if not boxes:
        return None
    texts = [boxes[0].findtext(edge) for edge in EDGES]
    numbers = [_number(text) for text in texts]
    if None in numbers:
        raise UserError(f"{path}: an object {name} has {texts} as bndbox; expected four numbers, as 12 or 12.5")
    return numbers


def _number(text: str | None) -> float | None:
    try:
        return number_in(text or "")
    except ValueError:
        return None


def _is_difficult(element: ElementTree.Element, path: Path, findings: Findings) -> bool:
    text = (element.findtext("difficult") or "").strip().lower()
    number = _number(text)
    if number is not None:
        return number != 0
    if text not in (*YES, *NO):
        findings.note(f"<difficult>{text}</difficult>, taken for no", path.name)
    return text in YES


def _size(root: ElementTree.Element, path: Path) -> tuple[int, int] | None:
    """Some tools write 0 x 0, or nothing, where they do not know it."""
    texts = [(root.findtext(f"size/{key}") or "").strip() for key in ("width", "height")]
    numbers = [_number(text or "0") for text in texts]
    if None in numbers or any(number != int(number) for number in numbers):
        raise UserError(f"{path}: its <size> is {' x '.join(texts)}; expected two whole numbers of pixels")
    width, height = map(int, numbers)
    return (width, height) if width or height else None
