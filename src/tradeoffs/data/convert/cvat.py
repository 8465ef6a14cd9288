"""From `CVAT for images 1.1`: one XML file with the boxes and polygons of all photos."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.locate import PhotoFinder, photo_folder
from tradeoffs.data.convert.photos import Photo, Point, files_below, read_sizes
from tradeoffs.data.convert.reading import Reading, split_of
from tradeoffs.data.convert.texts import number_in
from tradeoffs.data.convert.turned_boxes import TURNED, centre, corners, turned
from tradeoffs.data.convert.xml_files import read_root
from tradeoffs.errors import UserError


def read_cvat(source: Path, findings: Findings, exif: Exif = "upright") -> Reading:
    """`source` is the XML file or the folder with it and the photos. The subsets of a project are its splits."""
    folder = photo_folder(source)
    file = source if source.is_file() else _annotation_file(source)
    root = _parse(file, findings)
    finder = PhotoFinder(folder, findings)
    images: dict[Path, ElementTree.Element] = {}
    for image in root.iter("image"):
        path = finder.find(image.get("name", ""), file.parent)
        if path in images:
            findings.fault(f"{file} names {path} twice, again as {image.get('name')}")
        elif path:
            images[path] = image
    if not images:
        findings.require_none()
        what = f"{folder} has none of the photos that {file.name} names; export them with the annotations"
        raise UserError(what, tuple(findings.lines()))
    reading = Reading(_labels(root))
    for path, size in read_sizes(list(images), findings).items():
        photo, image = Photo(path, size), images[path]
        settle(photo, _stated_size(image), f"{image.get('name')} in {file}", exif, findings)
        _mark(photo, image, file, findings)
        reading.splits[split_of(Path(image.get("subset", "")))].append(photo)
    used = (thing["name"] for part in reading.splits.values() for photo in part for thing in photo.objects)
    reading.class_names += sorted(set(used) - set(reading.class_names))
    finder.tell_others()
    return reading


def _annotation_file(folder: Path) -> Path:
    found = [path for path in sorted(files_below(folder)) if path.suffix == ".xml" and _is_cvat(path)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise UserError(f"{folder} has several files of CVAT's: {names}; give one of them instead of the folder")
    raise UserError(f"{folder} has no XML file of CVAT's (annotations.xml)")


def _is_cvat(path: Path) -> bool:
    with path.open("rb") as file:
        return b"<annotations" in file.read(4096)


def _parse(file: Path, findings: Findings) -> ElementTree.Element:
    root = read_root(file, findings)
    if root.tag != "annotations" or root.find("track") is not None:
        what = "holds tracks of a video" if root.tag == "annotations" else "is no XML of CVAT's"
        raise UserError(f"{file} {what}; export the task as CVAT for images 1.1, or in COCO format, with its photos")
    return root


def _labels(root: ElementTree.Element) -> list[str]:
    """In the order of the task; parts of skeletons are no classes."""
    labels = [label for label in root.iter("label") if label.find("name") is not None and label.find("parent") is None]
    return list(dict.fromkeys(name for label in labels if (name := (label.findtext("name") or "").strip())))


def _stated_size(image: ElementTree.Element) -> tuple[int, int] | None:
    texts = image.get("width", ""), image.get("height", "")
    return (int(texts[0]), int(texts[1])) if all(text.isdigit() and int(text) for text in texts) else None


def _mark(photo: Photo, image: ElementTree.Element, file: Path, findings: Findings) -> None:
    for element in image:
        where = f"{image.get('name')}, {element.tag} {element.get('label', '')}"
        name = element.get("label", "").strip()
        try:
            points, is_polygon = _shape(element, where, findings)
        except (TypeError, ValueError, OverflowError):
            findings.fault(f"{file}, {where}: its numbers cannot be read: {dict(element.attrib)}")
            continue
        if not points:
            findings.note(f"shapes of the kind {element.tag}, left out", where)
        elif not name:
            findings.fault(f"{file}, {where}: it has no label")
        elif element.get("outside") == "1":
            findings.note("shapes marked as outside, left out", where)
        else:
            photo.add(name, points, findings, polygons=[points] if is_polygon else [])


def _shape(element: ElementTree.Element, where: str, findings: Findings) -> tuple[list[Point], bool]:
    """Points around it, and whether they are a polygon; none for what has no box."""
    match element.tag:
        case "box":
            box = _numbers(element, "xtl", "ytl", "xbr", "ybr")
        case "ellipse":
            x, y, across, down = _numbers(element, "cx", "cy", "rx", "ry")
            box = x - across, y - down, x + across, y + down
            findings.note("ellipses, of which the box is taken", where)
        case "mask":
            left, top, width, height = _numbers(element, "left", "top", "width", "height")
            box = left, top, left + width, top + height
            findings.note("masks, of which the box is taken", where)
        case "polygon":
            pairs = (pair.split(",") for pair in element.get("points", "").split(";"))
            points = [(number_in(x), number_in(y)) for x, y in pairs]
            return points, len(points) > 2
        case _:
            return [], False
    rotation = number_in(element.get("rotation", "0"))
    if rotation % 360 == 0:
        return corners(*box), False
    findings.note(TURNED, where)
    return turned(corners(*box), rotation, centre(*box)), False


def _numbers(element: ElementTree.Element, *keys: str) -> tuple[float, ...]:
    return tuple(number_in(element.attrib.get(key, "missing")) for key in keys)
