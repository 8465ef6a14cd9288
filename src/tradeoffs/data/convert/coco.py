"""From COCO format as Roboflow, CVAT, Label Studio and others export it: splits, file names and ids put in order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from itertools import pairwise
from pathlib import Path

from tradeoffs.data.annotation_file import (
    are_keypoints,
    is_box,
    is_flag,
    is_number,
    keypoint_names,
    read_annotation_file,
    short,
    without_copies,
)
from tradeoffs.data.convert.detect import json_kind
from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.locate import PhotoFinder, photo_folder
from tradeoffs.data.convert.photos import Photo, Point, files_below, read_sizes
from tradeoffs.data.convert.reading import Reading, split_of
from tradeoffs.data.convert.turned_boxes import TURNED, centre, corners, turned
from tradeoffs.errors import UserError

Id = int | float | str  # ids are only looked up here, so that any will do


def read_coco(source: Path, findings: Findings, exif: Exif = "stored") -> Reading:
    """`source` is an annotation file, or a folder with one for each split or one for all.

    Classes are told apart by name: their ids may differ from file to file. `exif` says on which photo boxes were
    drawn, where the stated size does not tell.
    """
    folder = photo_folder(source)
    files = _annotation_files(source)
    contents = {split: read_annotation_file(file) for split, file in files.items()}
    names = {split: _class_names(content, files[split], findings) for split, content in contents.items()}
    unused = _umbrella(contents.values(), findings)
    reading = Reading(list(dict.fromkeys(name for part in names.values() for name in part.values() if name != unused)))
    reading.joints = _joints(contents, files, findings)
    _tell_ids(names, files, findings)
    finder = PhotoFinder(folder, findings)
    for split, content in contents.items():
        photos = _photos(content, files[split], finder, exif, findings)
        _mark(photos, content["annotations"], names[split], reading.joints, files[split], findings)
        reading.splits[split] = [photo for photo in photos.values() if photo]
    if not any(reading.splits.values()):
        findings.require_none()
        named_in = ", ".join(path.name for path in files.values())
        raise UserError(f"{folder} has none of the photos that {named_in} names", tuple(findings.lines()))
    finder.tell_others()
    return reading


def _annotation_files(source: Path) -> dict[str, Path]:
    """Split -> file. Of several for one split that of COCO's instances is taken."""
    if source.is_file():
        return {split_of(Path(source.name)): source}
    found = defaultdict(list)
    for path in sorted(files_below(source)):
        if path.suffix.lower() == ".json" and json_kind(path) == "coco":
            found[split_of(path.relative_to(source))].append(path)
    if not found:
        raise UserError(f"{source} has no annotation file in COCO format (.json)")
    for split, paths in found.items():
        paths = [path for path in paths if path.name.startswith("instances")] or paths
        if len(paths) > 1:
            names = ", ".join(str(path.relative_to(source)) for path in paths)
            what = f"annotation files for {split}" if split else "annotation files whose names tell no split"
            raise UserError(f"{source} has several {what}: {names}; leave one there, or give it instead of the folder")
        found[split] = paths
    order = sorted(found, key=lambda split: ("train", "", "val", "test").index(split))
    return {split: found[split][0] for split in order}


def _class_names(content: dict, file: Path, findings: Findings) -> dict[Id, str]:
    """Category id -> name, in ascending order of the ids."""
    names = {}
    for category in content["categories"]:
        number, name = category.get("id"), category.get("name")
        name = str(name).strip() if isinstance(name, Id) else ""
        if not isinstance(number, Id) or not name:
            findings.fault(f"{file}: a category has no id or no name: {short(category)}")
        elif names.setdefault(number, name) != name:
            findings.fault(f"{file}: the category {number} is both {names[number]!r} and {name!r}")
    if len(set(names.values())) < len(names):
        findings.note("categories of equal names, taken for one", file.name)
    return dict(sorted(names.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def _joints(contents: Mapping[str, dict], files: Mapping[str, Path], findings: Findings) -> dict[str, dict]:
    """Class -> what its category says of keypoints, of those that have some."""
    found: dict[str, dict] = {}
    for split, content in contents.items():
        for category in content["categories"]:
            if names := keypoint_names(category):
                said = {"keypoints": names, **({"skeleton": category["skeleton"]} if "skeleton" in category else {})}
                name = str(category.get("name")).strip()
                if found.setdefault(name, said)["keypoints"] != names:
                    findings.fault(f"{files[split]}: {name} has other keypoints than in another file")
    return found


def _umbrella(contents: Collection[dict], findings: Findings) -> str | None:
    """Roboflow's first category, a class too many: it never occurs and is but the heading of the others."""
    categories = [category for content in contents for category in content["categories"]]
    used = {str(a.get("category_id")) for content in contents for a in content["annotations"]}
    headings = {str(category.get("supercategory")) for category in categories if category.get("id") != 0}
    first = {str(category.get("name")) for category in categories if category.get("id") == 0}
    if "0" in used or len(first) != 1 or headings != first:
        return None
    findings.note(f"the category 0, {next(iter(first))!r}, is the heading of the others and never occurs; left out")
    return next(iter(first)).strip()


def _tell_ids(names: Mapping[str, dict[Id, str]], files: Mapping[str, Path], findings: Findings) -> None:
    for one, other in pairwise(names):
        if names[one] != names[other]:
            places = f"{files[one].parent.name}/{files[one].name} and {files[other].parent.name}/{files[other].name}"
            findings.note(f"{places} have different categories; classes go by their names")


def _photos(
    content: dict, file: Path, finder: PhotoFinder, exif: Exif, findings: Findings
) -> dict[object, Photo | None]:
    """Image id -> photo, None where it is not there."""
    paths: dict[object, Path | None] = {}
    entries = {}
    for entry in without_copies(content["images"]):
        name, number = entry.get("file_name"), entry.get("id")
        if not isinstance(name, str) or not isinstance(number, Id):
            findings.fault(f"{file}: an image has no file_name or no id: {short(entry)}")
        elif number in paths:
            findings.fault(f"{file}: the image id {number} stands twice, again with {name}")
        else:
            path = paths[number] = finder.find(name, file.parent)
            if path in entries:
                findings.fault(f"{file} names {path} twice: {entries[path]['file_name']} and {name}")
            if path:
                entries[path] = entry
    sizes = read_sizes(list(entries), findings)
    photos = {path: Photo(path, size) for path, size in sizes.items()}
    for path, photo in photos.items():
        settle(photo, _stated_size(entries[path]), f"{entries[path]['file_name']} in {file}", exif, findings)
    return {number: photos.get(path) for number, path in paths.items()}


def _stated_size(entry: dict) -> tuple[int, int] | None:
    """Width and height; some tools write none, or 0."""
    size = entry.get("width"), entry.get("height")
    return (int(size[0]), int(size[1])) if all(map(is_number, size)) and min(size) > 0 else None


def _mark(
    photos: Mapping,
    annotations: list[dict],
    names: Mapping[Id, str],
    joints: Mapping[str, dict],
    file: Path,
    findings: Findings,
) -> None:
    for annotation in annotations:
        where = f"{file}, annotation {annotation.get('id')}"
        number, image = annotation.get("category_id"), annotation.get("image_id")
        name = names.get(number) if isinstance(number, Id) else None
        if name is None:
            findings.fault(f"{where}: there is no category {number}")
        elif not isinstance(image, Id) or image not in photos:
            findings.note("annotations of an image that is not in their file, left out", where)
        elif photos[image]:
            count = len(joints[name]["keypoints"]) if name in joints else 0
            _add(photos[image], name, annotation, count, where, findings)


def _add(photo: Photo, name: str, annotation: dict, joints: int, where: str, findings: Findings) -> None:
    polygons, more = _segmentation(annotation.get("segmentation"), photo, where, findings)
    more |= _keypoints(annotation.get("keypoints"), joints, photo, where, findings)
    if not is_flag(crowd := annotation.get("iscrowd")):
        findings.fault(f"{where}: its iscrowd is {short(crowd)} instead of 0 or 1")
    if crowd:
        more["iscrowd"] = 1
    outline = [point for polygon in polygons for point in polygon]
    points = _points(annotation, where, findings) if annotation.get("bbox") else outline
    if not points:
        box = annotation.get("bbox")
        what = f"the box {short(box)} is not" if box else "has neither polygons nor a box (bbox); it needs"
        findings.fault(f"{where}: {what} four numbers: left, top, width, height")
    elif annotation.get("bbox") and min(annotation["bbox"][2:]) <= 0:
        photo.without_area.append(f"{photo.path.name} {name} {annotation['bbox']}")
    else:
        photo.add(name, points, findings, polygons, **more)


def _points(annotation: dict, where: str, findings: Findings) -> list[Point]:
    """The corners of the box, turned where CVAT says that it is; none where it is no box."""
    if not is_box(annotation["bbox"]):
        return []
    left, top, width, height = annotation["bbox"]
    box = left, top, left + width, top + height
    attributes = annotation.get("attributes")
    rotation = attributes.get("rotation") if isinstance(attributes, dict) else None
    if not is_number(rotation) or rotation % 360 == 0:
        return corners(*box)
    findings.note(TURNED, where)
    return turned(corners(*box), rotation, centre(*box))


def _segmentation(value: object, photo: Photo, where: str, findings: Findings) -> tuple[list[list[Point]], dict]:
    """Its polygons, or what run-length codes add to the annotation. What is broken is left out: the box is sound."""
    if isinstance(value, dict) and value.get("counts"):
        if value.get("size") == [photo.size.height, photo.size.width] and not photo.upright:
            return [], {"segmentation": value}
        findings.note("masks of another size or on a turned photo, left out", where)
        return [], {}
    polygons = value if isinstance(value, list) else []
    if polygons and all(map(is_number, polygons)):  # one polygon without its list
        polygons = [polygons]
    sound = [polygon for polygon in polygons if _is_polygon(polygon)]
    if len(sound) < len(polygons):
        findings.note("polygons that are none, left out", where)
    return [list(zip(polygon[::2], polygon[1::2], strict=True)) for polygon in sound], {}


def _keypoints(value: object, joints: int, photo: Photo, where: str, findings: Findings) -> dict:
    """As they are; of a photo that EXIF turns, where they would have to be turned as well, none are labelled."""
    if not value:
        return {}
    if not joints:
        findings.note("keypoints of a class whose category names none, left out", where)
        return {}
    if not are_keypoints(value, joints):
        findings.fault(f"{where}: its keypoints are {short(value)}; they need x, y, visibility of {joints}")
        return {}
    if photo.upright:
        findings.note("keypoints on a turned photo, left out", where)
        value = [0] * len(value)
    return {"keypoints": value, "num_keypoints": sum(seen > 0 for seen in value[2::3])}


def _is_polygon(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 6 and len(value) % 2 == 0 and all(map(is_number, value))
