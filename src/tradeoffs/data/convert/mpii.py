"""MPII Human Pose (Andriluka et al. 2014), from its MAT file or from the JSON lists that pose networks ship."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from tradeoffs.data.annotation_file import write_annotation_file
from tradeoffs.data.convert.destination import place_images, require_free
from tradeoffs.data.pixels import image_size
from tradeoffs.errors import UserError

NAMES = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax"),
    *("upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow"),
    "left_wrist",
)
SKELETON = (
    *((1, 2), (2, 3), (3, 7), (7, 4), (4, 5), (5, 6), (7, 8), (8, 9), (9, 10)),
    *((11, 12), (12, 13), (13, 8), (8, 14), (14, 15), (15, 16)),
)
NECK, HEAD_TOP = NAMES.index("upper_neck"), NAMES.index("head_top")
HEAD_SHARE = 0.6  # of the diagonal of the head's box: the length of PCKh, in the authors' code
BODY = 200  # pixels of a person's height at scale 1
FILES = ("mpii_annotations.json", "train.json", "valid.json", "val.json")
MARGIN = 0.1  # by which a box is larger than the joints in it, on each side


class Person(NamedTuple):
    file_name: str
    split: str  # train or val
    joints: Float64[ndarray, "16 3"]  # x, y, visibility as COCO has it
    centre: Float64[ndarray, " 2"]
    height: float  # pixels, by the scale that MPII gives
    head_size: float | None = None


def convert_mpii(
    source: Path, dest: Path, copy: bool = False, overwrite: bool = False, val: float = 0.1, seed: int = 0
) -> list[str]:
    """Writes DEST/annotations/{train,val}.json; images of SOURCE are linked or copied. Returns what is to be said.

    SOURCE holds `images` and either `mpii_annotations.json` (with `isValidation`), `train.json` and `valid.json`, or
    the MAT file, whose images are split at random, `val` of them for validation. MPII has no boxes of people: one is
    that of the joints, a tenth larger on each side; where it is less than half as long as the person is high, by the
    scale that MPII states, a square of that height. Raises UserError where something lacks.
    """
    images = source / "images"
    if not images.is_dir():
        raise UserError(f"{source} has no folder images; put MPII's photos there")
    require_free(dest, images, overwrite, copy)
    people = [person for person in read_people(source, val, seed) if (person.joints[:, 2] > 0).any()]
    if not people:
        raise UserError(f"{source} has no person with joints; MPII's test images have none")
    lacking = [name for name in {person.file_name for person in people} if not (images / name).is_file()]
    if lacking:
        raise UserError(f"{images} lacks {len(lacking)} photos, the first is {min(lacking)}")
    place_images(images, sorted({person.file_name for person in people}), dest, copy)
    return [write_split(dest, split, [each for each in people if each.split == split]) for split in ("train", "val")]


def write_split(dest: Path, split: str, people: list[Person]) -> str:
    names = sorted({person.file_name for person in people})
    sizes = {name: image_size(dest / "images" / name) for name in names}
    ids = {name: number for number, name in enumerate(names, 1)}
    content = {
        "images": [
            {"id": ids[name], "file_name": name, "width": sizes[name].width, "height": sizes[name].height}
            for name in names
        ],
        "annotations": [
            {"id": number, "image_id": ids[person.file_name], "category_id": 1, "iscrowd": 0, **annotation(person)}
            for number, person in enumerate(people, 1)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES), "skeleton": [list(e) for e in SKELETON]}],
    }
    for each in content["annotations"]:
        name = names[each["image_id"] - 1]
        each["bbox"] = inside(each["bbox"], sizes[name].width, sizes[name].height)
        each["area"] = round(each["bbox"][2] * each["bbox"][3], 3)
    write_annotation_file(content, dest / "annotations" / f"{split}.json")
    heads = sum("head_size" in each for each in content["annotations"])
    return f"{split}: {len(names)} photos, {len(people)} people, {heads} of them with the size of the head"


def annotation(person: Person) -> dict[str, Any]:
    joints = np.where(person.joints[:, 2:] > 0, person.joints, 0)
    known = joints[joints[:, 2] > 0, :2]
    low, high = known.min(axis=0), known.max(axis=0)
    low, high = low - MARGIN * (high - low), high + MARGIN * (high - low)
    if (high - low).max() < person.height / 2:  # a few joints say little about where a person ends
        low, high = person.centre - person.height / 2, person.centre + person.height / 2
    return {
        "keypoints": joints.round(3).ravel().tolist(),
        "num_keypoints": len(known),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        **({} if person.head_size is None else {"head_size": round(person.head_size, 3)}),
    }


def inside(box: list[float], width: int, height: int) -> list[float]:
    """Cut at the borders of the photo, but never to nothing."""
    left, top = min(max(box[0], 0), width - 1), min(max(box[1], 0), height - 1)
    right, bottom = (
        min(max(box[i] + box[i + 2], low + 1), side) for i, low, side in ((0, left, width), (1, top, height))
    )
    return [round(value, 3) for value in (left, top, right - left, bottom - top)]


def read_people(source: Path, val: float, seed: int) -> Iterator[Person]:
    lists = [source / name for name in FILES if (source / name).is_file()]
    if lists:
        for file in lists:
            yield from read_list(file)
        return
    files = sorted(source.glob("*.mat"))
    if not files:
        raise UserError(f"{source} has none of {', '.join(FILES)} and no MAT file")
    yield from read_mat(files[0], val, seed)


def read_list(file: Path) -> Iterator[Person]:
    """Of the authors' Lua code as JSON (`img_paths`, `joint_self`), or of simple baselines (`image`, `joints_vis`).

    Neither has the box of the head: its size is the distance from the neck to the top of the head.
    """
    try:
        entries = json.loads(file.read_bytes())
        for each in entries:
            if "img_paths" in each:
                name, split = each["img_paths"], "val" if each["isValidation"] else "train"
                joints, centre, scale = np.array(each["joint_self"], float), each["objpos"], each["scale_provided"]
                missing = (joints[:, :2] <= 0).all(axis=1)
                flags = np.where(missing, 0, np.where(joints[:, 2] > 0, 2, 1))
            else:
                name, split = each["image"], "train" if file.stem == "train" else "val"
                joints, centre, scale = np.array(each["joints"], float), each["center"], each["scale"]
                flags = 2 * (np.array(each["joints_vis"]) > 0)
            joints = np.column_stack([joints[:, :2], flags])
            yield Person(name, split, joints, np.array(centre, float), BODY * float(scale), head_of(joints))
    except (ValueError, KeyError, TypeError, IndexError) as fault:
        raise UserError(f"{file} is no list of MPII's people: {fault!r}") from None


def head_of(joints: Float64[ndarray, "16 3"]) -> float | None:
    if not (joints[[NECK, HEAD_TOP], 2] > 0).all():
        return None
    return float(np.hypot(*(joints[HEAD_TOP, :2] - joints[NECK, :2]))) or None


def read_mat(file: Path, val: float, seed: int) -> Iterator[Person]:
    """MPII's own: images that are no test images; the size of a head is 0.6 of its box's diagonal."""
    from scipy.io import loadmat  # a moment

    try:
        release = loadmat(file, struct_as_record=False, squeeze_me=True)["RELEASE"]
        entries, is_train = np.atleast_1d(release.annolist), np.atleast_1d(release.img_train)
    except Exception as fault:  # scipy has its own
        raise UserError(f"{file} is not MPII's MAT file: {fault!r}") from None
    chosen = np.random.default_rng(seed).random(len(entries)) < val
    for entry, train, in_val in zip(entries, is_train, chosen, strict=True):
        for person in np.atleast_1d(entry.annorect) if train else ():
            points = getattr(getattr(person, "annopoints", None), "point", None)
            if points is not None and hasattr(person, "scale"):
                yield person_of(entry.image.name, "val" if in_val else "train", person, np.atleast_1d(points))


def person_of(name: str, split: str, person: Any, points: ndarray) -> Person:
    joints = np.zeros((len(NAMES), 3))
    for point in points:
        seen = getattr(point, "is_visible", 1)  # nothing is said of heads
        hidden = np.size(seen) == 1 and str(np.ravel(seen)[0]) in ("0", "0.0")
        joints[int(point.id)] = point.x, point.y, 1 if hidden else 2
    head = HEAD_SHARE * float(np.hypot(person.x2 - person.x1, person.y2 - person.y1))
    centre = np.array([person.objpos.x, person.objpos.y], float)
    return Person(str(name), split, joints, centre, BODY * float(person.scale), head or None)
