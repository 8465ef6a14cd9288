"""From Pascal VOC: one XML per photo, with lists of names per split or without, instance PNGs for some photos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.index_masks import VOID, read_index_mask
from tradeoffs.data.convert.photos import Photo, read_sizes
from tradeoffs.data.convert.reading import SEED, Reading, convert
from tradeoffs.data.convert.split import Summary, require_folder
from tradeoffs.data.convert.voc_layout import pairs_by_folder, pairs_by_list
from tradeoffs.data.convert.voc_xml import VocAnnotation, VocObject
from tradeoffs.data.run_lengths import masks_of_values
from tradeoffs.errors import UserError


def convert_voc(
    source: Path,
    dest: Path,
    splits: dict[str, str] | None = None,
    lists: str | None = None,
    photos: Path | None = None,
    exif: Exif = "stored",
    val: float | None = None,
    seed: int = SEED,
    group: str | None = None,
    copy: bool = False,
    overwrite: bool = False,
) -> list[str | Summary]:
    """Writes `dest/annotations/SPLIT.json` for each split and `dest/images`.

    `splits` maps the new split to the list in `ImageSets/<lists>` that it takes, `{"train": "trainval"}` say; by
    default those of train, val and test that are there. `lists="Segmentation"` takes the images with masks only. Where
    there are no lists, all photos with an XML are taken; folders named train, val or test are the splits. `photos` is
    their folder where that is not in `source`. `exif` says on which photo boxes were drawn, where its size does not
    tell. Otherwise as `reading.convert`.
    """
    read = partial(read_voc, splits=splits, lists=lists, photos=photos, exif=exif)
    return convert(read, source, dest, val, seed, group, copy, overwrite)


def read_voc(
    source: Path,
    findings: Findings,
    splits: dict[str, str] | None = None,
    lists: str | None = None,
    photos: Path | None = None,
    exif: Exif | None = "stored",
) -> Reading:
    """As `convert_voc`; with `exif=None` sizes that files state are not compared. Classes are in order of name."""
    photos = photos or source
    require_folder(source)
    require_folder(photos)
    pairs = pairs_by_list(source, photos, splits, lists, findings)
    if pairs is None:
        pairs = pairs_by_folder(source, photos, findings)
    annotations = {pair.photo: pair.annotation for part in pairs.values() for pair in part}
    marked = _photos(annotations, source, exif, findings)
    findings.require_none()
    class_names = sorted({thing.name for annotation in annotations.values() for thing in annotation.objects})
    if not class_names:
        raise UserError(f"{source} has no objects: its {len(annotations)} XML files name none")
    _tell_alike(class_names, findings)
    found = {split: [marked[pair.photo] for pair in part] for split, part in pairs.items()}
    return Reading(class_names, found, as_given=splits is not None)


def _photos(
    annotations: Mapping[Path, VocAnnotation], source: Path, exif: Exif | None, findings: Findings
) -> dict[Path, Photo]:
    photos = {path: Photo(path, size) for path, size in read_sizes(sorted(annotations), findings).items()}
    for path, photo in photos.items():
        if exif:
            settle(photo, annotations[path].size, annotations[path].path, exif, findings)
    files = {file.stem: file for file in (source / "SegmentationObject").glob("*.png")}

    def encode(path: Path) -> _Masks:
        return _encode(photos[path], annotations[path], files.get(annotations[path].path.stem))

    with ThreadPoolExecutor() as pool:
        encoded = list(pool.map(encode, photos))
    for (path, photo), masks in zip(photos.items(), encoded, strict=True):
        _mark(photo, annotations[path], masks, findings)
    return photos


def _mark(photo: Photo, annotation: VocAnnotation, masks: _Masks, findings: Findings) -> None:
    if masks.fault:
        findings.fault(masks.fault)
        return
    if masks.beyond:
        findings.note("numbers in masks without an object in the XML, left out", annotation.path.name, masks.beyond)
    if not annotation.objects:
        findings.note("XML without objects", annotation.path.name)
    for thing, mask in zip(annotation.objects, masks.additions, strict=True):
        box = _sound_box(thing, photo, annotation.path.stem, findings)
        if box:
            # Pixels count from 1 and the last is included: the pixels 1 to 3 are x = 0, width = 3.
            corners = [(box[0] - 1, box[1] - 1), (box[2], box[3])]
            photo.add(thing.name, corners, findings, iscrowd=int(thing.difficult), **mask)


def _sound_box(thing: VocObject, photo: Photo, stem: str, findings: Findings) -> list[float] | None:
    """The edges in their order, or None, and a word, for a box that holds nothing."""
    where = f"{stem} {thing.name} {thing.box}"
    if thing.box is None:
        findings.note("objects without <bndbox>, left out", f"{stem} {thing.name}")
        return None
    box = [*map(min, thing.box[:2], thing.box[2:]), *map(max, thing.box[:2], thing.box[2:])]
    if box != thing.box:
        findings.note("boxes whose edges stood in the wrong order, put right", where)
    width, height = photo.marked_size
    if box[0] == box[2] or box[1] == box[3]:
        photo.without_area.append(where)
        return None
    if box[0] - 1 >= width or box[1] - 1 >= height or box[2] <= 0 or box[3] <= 0:
        findings.note("boxes outside their photo, left out", where)
        return None
    if 0 <= min(box[:2]) < 1:
        findings.note("boxes that begin at 0, where VOC counts from 1; taken as counted from 1 and cut", where)
    return box


class _Masks(NamedTuple):
    """Of each object of a photo what its mask adds to it, or what is wrong."""

    additions: list[dict]
    beyond: int = 0  # numbers in the picture that are of no object
    fault: str = ""


def _encode(photo: Photo, annotation: VocAnnotation, file: Path | None) -> _Masks:
    """Each object's mask and the mask's area. Object i of the XML is number i of the picture, 255 the border.

    SegmentationClass is not needed: it says of which class a pixel is, which the object knows already.
    """
    count = len(annotation.objects)
    if file is None:
        return _Masks([{}] * count)
    try:
        numbers = read_index_mask(file, photo.size, photo.upright)
    except UserError as error:
        return _Masks([], fault=str(error))
    found = np.unique(numbers)
    encoded = masks_of_values(numbers, list(range(1, count + 1)))
    additions = [{key: mask[key] for key in ("segmentation", "area")} if mask["area"] else {} for mask in encoded]
    return _Masks(additions, np.count_nonzero((found > count) & (found != VOID)))


def _tell_alike(class_names: list[str], findings: Findings) -> None:
    alike = defaultdict(list)
    for name in class_names:
        alike["".join(filter(str.isalnum, name.casefold())) or name].append(name)
    for names in alike.values():
        if len(names) > 1:
            findings.note(f"classes that may be one: {', '.join(map(repr, names))}; they are kept apart")
