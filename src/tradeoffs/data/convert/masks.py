"""From instance-mask PNGs, one per photo, as the Penn-Fudan pedestrians have them."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from tradeoffs.data.convert.exif import Exif, settle
from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.index_masks import (
    has_object_border,
    mask_size,
    number_pieces,
    object_numbers,
    read_index_mask,
)
from tradeoffs.data.convert.photos import Photo, photos_below, read_sizes
from tradeoffs.data.convert.reading import SEED, Reading, convert
from tradeoffs.data.convert.split import Summary, require_folder
from tradeoffs.data.names import normal
from tradeoffs.data.run_lengths import masks_of_values
from tradeoffs.errors import UserError

IMAGE_FOLDERS = ("PNGImages", "JPEGImages", "images", "photos")
MASK_FOLDERS = ("PedMasks", "masks", "SegmentationObject")
VALIDATION_EVERY = 5

Pieces = Literal["apart", "together"]


def convert_masks(
    source: Path,
    dest: Path,
    class_name: str = "person",
    validation_every: int | None = None,
    pieces: Pieces | None = None,
    exif: Exif = "stored",
    val: float | None = None,
    seed: int = SEED,
    group: str | None = None,
    copy: bool = False,
    overwrite: bool = False,
) -> list[str | Summary]:
    """Writes `dest/annotations/{train,val}.json` and `dest/images`.

    A photo `X` has the mask `X_mask.png` or `X.png`, in which 0 is background and each other number one object. Boxes
    are those of the masks. Of the photos sorted by name, each `validation_every`-th (the 5th, the 10th, ...) goes to
    validation, or the share `val` by chance. Where all masks have the same one number, in several pieces, `pieces`
    must say whether each is an object. Otherwise as `reading.convert`.
    """
    if validation_every and val is not None:
        raise UserError("--validation-every and --val both say what goes to validation; give one of them")
    every = validation_every or (None if val is not None else VALIDATION_EVERY)
    read = partial(read_masks, class_name=class_name, every=every, pieces=pieces, exif=exif)
    return convert(read, source, dest, val, seed, group, copy, overwrite)


def read_masks(
    source: Path, findings: Findings, class_name: str, every: int | None, pieces: Pieces | None, exif: Exif
) -> Reading:
    """As `convert_masks`, every `every`-th photo in the split val; None puts all into the split `""`."""
    images, folder = _folder(source, IMAGE_FOLDERS), _folder(source, MASK_FOLDERS)
    paths = photos_below(images)
    if not paths or (every and len(paths) < every):
        raise UserError(f"{images} has {len(paths)} images; --validation-every {every} needs that many")
    masks = _masks_of(paths, folder, findings)
    photos = {path: Photo(path, size) for path, size in read_sizes(paths, findings).items() if path in masks}
    for path, photo in photos.items():
        settle(photo, mask_size(masks[path]), masks[path], exif, findings)
    findings.require_none()
    with ThreadPoolExecutor() as pool:
        read = list(pool.map(lambda path: _read(photos[path], masks[path], pieces), photos))
    _judge({masks[path].name: mask for path, mask in zip(photos, read, strict=True)}, pieces, findings)
    for photo, mask in zip(photos.values(), read, strict=True):
        photo.objects = [thing | {"name": class_name, "iscrowd": 0} for thing in mask.objects]
    return Reading([class_name], _split(list(photos.values()), every))


class _Mask(NamedTuple):
    """What one mask holds, or what is wrong with it."""

    objects: list[dict]
    pieces: dict[int, int]  # object number -> how many pieces it is in
    has_border: bool = False
    is_framed: bool = False
    fault: str = ""


def _read(photo: Photo, file: Path, pieces: Pieces | None) -> _Mask:
    try:
        picture = read_index_mask(file, photo.size, photo.upright)
    except UserError as error:
        return _Mask([], {}, fault=str(error))
    numbers, has_border = object_numbers(picture)
    numbered = {number: number_pieces(picture == number) for number in numbers}
    count = {number: int(labels.max()) for number, labels in numbered.items()}
    if pieces == "apart" and len(numbers) == 1:
        picture, numbers = numbered[numbers[0]], list(range(1, count[numbers[0]] + 1))
    return _Mask(masks_of_values(picture, numbers), count, has_border, has_object_border(picture))


def _judge(masks: dict[str, _Mask], pieces: Pieces | None, findings: Findings) -> None:
    """What the masks mean, all of them together: is each number an object, or does one number mark all objects?"""
    for name, mask in masks.items():
        if mask.fault:
            findings.fault(mask.fault)
        elif not mask.pieces:
            findings.note("masks without an object", name)
        if mask.has_border:
            findings.note("masks whose number 255 was taken for the border, not for an object", name)
        if mask.is_framed:
            findings.note(
                "masks with an object along most of their border; is it the background, which must be 0?", name
            )
    findings.require_none()
    numbers = {number for mask in masks.values() for number in mask.pieces}
    if not numbers:
        raise UserError("the masks are empty: all their pixels are 0")
    if len(numbers) == 1:
        _judge_one_number(numbers.pop(), masks, pieces, findings)
        return
    if pieces:
        raise UserError(f"--pieces is for masks of one number; these have {len(numbers)}, each of them one object")
    for name, mask in masks.items():
        if several := [number for number, count in mask.pieces.items() if count > 1]:
            findings.note("numbers in several pieces, each number taken for one object", name, len(several))


def _judge_one_number(number: int, masks: dict[str, _Mask], pieces: Pieces | None, findings: Findings) -> None:
    several = {name: count for name, mask in masks.items() if (count := mask.pieces.get(number, 0)) > 1}
    if several and not pieces:
        first = next(iter(several))
        raise UserError(
            f"all masks have the one number {number}, {len(several)} of them in several pieces, the first is {first} "
            f"with {several[first]}; --pieces apart takes each piece for an object, --pieces together those of a mask "
            "for one"
        )
    how = "each piece" if pieces == "apart" else "all of a mask"
    findings.note(f"masks of the one number {number}: {how} was taken for one object")


def _masks_of(paths: list[Path], folder: Path, findings: Findings) -> dict[Path, Path]:
    files, photos = defaultdict(list), defaultdict(list)
    for file in photos_below(folder):
        files[normal(file.stem).removesuffix("_mask")].append(file)
    for path in paths:
        photos[normal(path.stem)].append(path)
    for kind, found in (("photos", photos), ("masks", files)):
        for stem, same in found.items():
            if len(same) > 1 and stem in photos:
                findings.fault(f"{stem} has several {kind}: {', '.join(map(str, same))}; keep one")
    findings.require_none()
    if lacking := [path.name for path in paths if normal(path.stem) not in files]:
        raise UserError(f"{folder} has no mask for {len(lacking)} of {len(paths)} images, the first is {lacking[0]}")
    for stem in sorted(files.keys() - photos.keys()):
        findings.note("masks without a photo, left out", files[stem][0].name)
    return {path: files[normal(path.stem)][0] for path in paths}


def _split(photos: list[Photo], every: int | None) -> dict[str, list[Photo]]:
    if every is None:
        return {"": photos}
    val = photos[every - 1 :: every]
    return {"train": [photo for number, photo in enumerate(photos, 1) if number % every], "val": val}


def _folder(source: Path, names: tuple[str, ...]) -> Path:
    require_folder(source)
    for name in names:
        if (source / name).is_dir():
            return source / name
    raise UserError(f"{source} has no folder {' or '.join(names)}; expected the layout of Penn-Fudan")
