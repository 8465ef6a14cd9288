"""From Label Studio's own JSON and JSON-MIN, with photos that lie beside or below it."""

from __future__ import annotations

import json
from pathlib import Path

from tradeoffs.data.annotation_file import is_number
from tradeoffs.data.convert.detect import json_kind
from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.locate import PhotoFinder, photo_folder
from tradeoffs.data.convert.photos import Photo, Point, files_below, read_sizes
from tradeoffs.data.convert.reading import Reading, split_of
from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.convert.turned_boxes import TURNED, corners, turned
from tradeoffs.data.names import IMAGE_SUFFIXES
from tradeoffs.errors import UserError

LABELS = ("rectanglelabels", "polygonlabels", "ellipselabels", "labels")
ANSWERS = ("choices", "textarea", "rating", "number", "taxonomy", "relation")  # mark nothing


def read_label_studio(source: Path, findings: Findings, exif: Exif = "upright") -> Reading:
    """`source` is the JSON file or the folder with it and the photos. Classes are in order of name."""
    folder = photo_folder(source)
    file = source if source.is_file() else _annotation_file(source)
    finder = PhotoFinder(folder, findings)
    regions: dict[Path, list[dict]] = {}
    for task in _tasks(file):
        name = _photo_name(task, findings)
        found = _regions(task, name, findings) if name else None
        path = None if found is None else finder.find(name, file.parent)
        if path in regions:
            findings.note("photos in several tasks, of which the last one is taken", path.name)
        if path:
            regions[path] = found
    if not regions:
        findings.require_none()
        what = f"{folder} has none of the annotated photos of {file.name}; put them beside it"
        raise UserError(what, tuple(findings.lines()))
    reading = Reading([])
    for path, size in read_sizes(list(regions), findings).items():
        photo = Photo(path, size)
        settle(photo, _stated_size(regions[path]), f"{path.name} in {file}", exif, findings)
        _mark(photo, regions[path], f"{file}, {path.name}", findings)
        reading.splits[split_of(path.relative_to(folder))].append(photo)
    things = (thing for part in reading.splits.values() for photo in part for thing in photo.objects)
    reading.class_names += sorted({thing["name"] for thing in things})
    finder.tell_others()
    return reading


def _annotation_file(folder: Path) -> Path:
    jsons = (path for path in sorted(files_below(folder)) if path.suffix.lower() == ".json")
    found = [path for path in jsons if json_kind(path) == "label_studio"]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(path.relative_to(folder)) for path in found)
        raise UserError(
            f"{folder} has several files of Label Studio's: {names}; give one of them instead of the folder"
        )
    raise UserError(f"{folder} has no JSON file of Label Studio's")


def _tasks(file: Path) -> list[dict]:
    try:
        tasks = json.loads(read_text(file))
    except json.JSONDecodeError as error:
        raise UserError(f"{file}: broken JSON at line {error.lineno}, column {error.colno} ({error.msg})") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UserError(f"{file} is no export of Label Studio's: it is a list of tasks")
    return tasks


def _photo_name(task: dict, findings: Findings) -> str | None:
    """The first text in the task's data that is an image's name. JSON-MIN has the data in the task itself."""
    data = task.get("data") if isinstance(task.get("data"), dict) else task
    texts = [value for value in data.values() if isinstance(value, str)]
    named = (text for text in texts if Path(text.partition("?")[0]).suffix.lower() in IMAGE_SUFFIXES)
    local = (text for text in texts if "?d=" in text and Path(text).suffix.lower() in IMAGE_SUFFIXES)
    found = next(named, None) or next(local, None)
    if found is None:
        findings.note("tasks without a photo, left out", str(task.get("id") or task)[:80])
    return found


def _regions(task: dict, name: str, findings: Findings) -> list[dict] | None:
    """What is marked in the photo, by the latest annotation; None where nobody has finished one."""
    if "annotations" not in task and "completions" not in task:  # JSON-MIN
        lists = [value for value in task.values() if isinstance(value, list)]
        return [{**region, "value": region} for part in lists for region in part if isinstance(region, dict)]
    made = _dicts(task.get("annotations") or task.get("completions"), name)
    done = [each for each in made if not each.get("was_cancelled") and not each.get("skipped")]
    if not done:
        findings.note("tasks that nobody has annotated or that were skipped, left out", name)
        return None
    if len(done) > 1:
        findings.note("tasks with several annotations, of which the latest is taken", name)
    latest = max(
        done, key=lambda each: (str(each.get("updated_at") or each.get("created_at") or ""), each.get("id") or 0)
    )
    return _dicts(latest.get("result"), name)


def _dicts(value: object, name: str) -> list[dict]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise UserError(f"the task of {name} holds {str(value)[:80]} instead of a list of annotations")
    return value


def _stated_size(regions: list[dict]) -> tuple[int, int] | None:
    for region in regions:
        size = region.get("original_width"), region.get("original_height")
        if all(map(is_number, size)) and min(size) > 0:
            return int(size[0]), int(size[1])
    return None


def _mark(photo: Photo, regions: list[dict], where: str, findings: Findings) -> None:
    labelled = {str(region["id"]) for region in regions if "id" in region and _labels(region)}
    for region in regions:
        names = _labels(region)
        if names or str(region.get("id")) not in labelled:  # a shape and its label may be two entries of one id
            _add(photo, region, names, where, findings)


def _labels(region: dict) -> list[str]:
    value = region.get("value")
    found = next((value[key] for key in LABELS if value.get(key)), None) if isinstance(value, dict) else None
    names = found if isinstance(found, list) else [found] if isinstance(found, str) else []
    return [str(name).strip() for name in names if name is not None and str(name).strip()]


def _add(photo: Photo, region: dict, names: list[str], where: str, findings: Findings) -> None:
    value = region.get("value")
    if not isinstance(value, dict) or region.get("type") in ANSWERS:
        return
    if region.get("image_rotation"):
        findings.fault(f"{where}: the photo was turned by {region['image_rotation']} degrees while it was annotated")
        return
    points = _points(value, photo.marked_size, where, findings)
    if points is None:
        findings.note(f"regions of the kind {region.get('type', 'unknown')}, left out", where)
    elif not names:
        findings.note("regions without a label, left out", where)
    elif not points:
        findings.fault(f"{where}: the numbers of a region cannot be read: {str(value)[:80]}")
    else:
        if len(names) > 1:
            findings.note("regions with several labels, of which the first is taken", where)
        photo.add(names[0], points, findings, [points] if "points" in value else [])


def _points(value: dict, size: tuple[int, int], where: str, findings: Findings) -> list[Point] | None:
    """In pixels, from percent; empty where numbers are none, None for a region of another kind."""
    x_unit, y_unit = size[0] / 100, size[1] / 100
    if isinstance(value.get("points"), list):
        pairs = value["points"]
        sound = all(isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in pairs)
        return [(x * x_unit, y * y_unit) for x, y in pairs] if sound and len(pairs) > 2 else []
    ellipse = "radiusX" in value
    extent = ("radiusX", "radiusY") if ellipse else ("width", "height")
    if "x" not in value or extent[0] not in value or "format" in value or "keypointlabels" in value:
        return None
    numbers = [value.get(key) for key in ("x", "y", *extent)]
    if not all(map(is_number, numbers)):
        return []
    x, y, width, height = (number * unit for number, unit in zip(numbers, (x_unit, y_unit) * 2, strict=True))
    box = (x - width, y - height, x + width, y + height) if ellipse else (x, y, x + width, y + height)
    if ellipse:
        findings.note("ellipses, of which the box is taken", where)
    rotation = value.get("rotation") or 0
    if not is_number(rotation) or rotation % 360 == 0:
        return corners(*box)
    findings.note(TURNED, where)
    return turned(corners(*box), rotation, (x, y))
