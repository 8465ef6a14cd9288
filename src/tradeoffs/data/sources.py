"""Where the splits of a data set lie: `source(split)` draws or fetches what is not there yet."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Literal, NamedTuple

from filelock import FileLock

from tradeoffs.data.annotation_file import read_annotation_file
from tradeoffs.data.archives import VOC_YEARS, Split, coco_split, ensure_coco, ensure_voc, voc_split
from tradeoffs.data.convert.detect import FORMATS, conversions
from tradeoffs.errors import UserError

log = logging.getLogger(__name__)

SplitName = Literal["train", "val"]

# Where annotations and images usually lie: this project's converters, COCO, Roboflow and others.
ANNOTATION_PLACES = (
    "annotations/{split}.json",
    "annotations/instances_{split}.json",
    "annotations/instances_{split}2017.json",
    "{split}.json",
    "{split}/_annotations.coco.json",
    "person_keypoints_{split}.json",
)
COCO_KINDS = ("instances", "person_keypoints")
# Other tools' names of a split, the likeliest first.
OTHER_NAMES = {"train": ("Train",), "val": ("valid", "validation", "Val", "Valid", "Validation", "test", "Test")}
IMAGE_PLACES = ("{split}", "{split}2017", "images/{split}", "images/{split}2017", "images")


class Lacking(NamedTuple):
    """What was not found, and where it was looked for."""

    split: str
    what: str  # images or annotations
    places: Sequence[str]


class MissingSplitError(UserError):
    """A folder lacks images or annotations. `of_all` says at once what several splits lack.

    Where annotations lack, it says what to type to convert those of another form, if there are any.
    """

    def __init__(self, root: Path, lacking: Sequence[Lacking]):
        self.root, self.lacking = root, lacking
        ways = conversions(root) if any(entry.what == "annotations" for entry in lacking) else {}
        if ways and "coco" not in ways:
            what = ", no ".join(dict.fromkeys(entry.split for entry in lacking))
            super().__init__(f"no {what} in COCO format in {root}, but {_ways_to_convert(ways)}")
            return
        names = [f"{entry.split} {entry.what}" for entry in lacking]
        looked = [f"looked for {', '.join(entry.places)}" for entry in lacking]
        give = ", ".join(f"data.source.{entry.split}_{entry.what}=PATH" for entry in lacking)
        several = len(lacking) > 1
        super().__init__(
            f"no {', no '.join(names)} in {root}{'' if several else f': {looked[0]}'}; "
            f"give {give}, relative to data.root (. is that folder itself)"
            f"{f', or convert the {_ways_to_convert(ways)}' if ways else ''}",
            tuple(f"{name}: {places}" for name, places in zip(names, looked, strict=True)) if several else (),
        )

    @classmethod
    def of_all(cls, errors: Sequence[MissingSplitError]) -> MissingSplitError:
        return cls(errors[0].root, [entry for error in errors for entry in error.lacking])


def shapes(split: SplitName, root: Path | str, **recipe: int) -> Split:
    """The embedded data set, drawn below `root` on first use; `recipe` as for `make_shapes`, with no empty split."""
    from tradeoffs.data.shapes import make_shapes

    for key, least in (("num_train", 1), ("num_val", 1), ("seed", 0)):
        value = recipe.get(key, least)
        if value < least:
            name = f"data.source.{key}"
            raise UserError(f"{name}={value} is impossible; {name} is a whole number, {least} or more")
    try:
        folder = make_shapes(Path(root), **recipe)
    except OSError as error:
        raise UserError(f"{root} cannot be written: {error.strerror}; give another data_dir=") from error
    return Split(folder / split, folder / "annotations" / f"{split}.json")


def coco(split: SplitName, root: Path | str, kind: str = COCO_KINDS[0]) -> Split:
    """COCO 2017, with the annotations of a `kind`; see `ensure_coco`."""
    if kind not in COCO_KINDS:
        raise UserError(f"data.source.kind={kind} is unknown; choose {' or '.join(COCO_KINDS)}")
    root = Path(root)
    with alone(root):
        return ensure_coco(root, (split,), kind)[split]


def voc(split: SplitName, root: Path | str, years: Sequence[int] = VOC_YEARS) -> Split:
    """Pascal VOC, with the training images of these years; see `ensure_voc`."""
    root = Path(root)
    with alone(root):
        return ensure_voc(root, years=years)[split]


def coco_folder(
    split: SplitName,
    root: Path | str,
    train_annotations: str | None = None,
    train_images: str | None = None,
    val_annotations: str | None = None,
    val_images: str | None = None,
    train_name: str = "train",
    val_name: str = "val",
) -> Split:
    """Anybody's data in COCO format; paths are relative to `root`, and the usual ones are tried where none is given.

    Validation may be called valid or validation as well; test is taken, with a word, only where there is none of
    these. `val_name="test"` looks for the split of that name alone.
    """
    found, name = _find_in_folder(
        split, root, train_annotations, train_images, val_annotations, val_images, train_name, val_name
    )
    if name.lower() == "test" and val_name != name:
        log.warning("%s has no split for validation; its split test (%s) is taken", root, found.annotations)
    return found


def _find_in_folder(
    split: SplitName,
    root: Path | str,
    train_annotations: str | None = None,
    train_images: str | None = None,
    val_annotations: str | None = None,
    val_images: str | None = None,
    train_name: str = "train",
    val_name: str = "val",
) -> tuple[Split, str]:
    """See `coco_folder`; with the name under which the split was found."""
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"data.root={root} is no folder; give one with annotations and images in COCO format")
    given = {"train": (train_name, train_images, train_annotations), "val": (val_name, val_images, val_annotations)}
    name, given_images, given_annotations = given[split]
    names = (name, *OTHER_NAMES[split]) if name == split else (name,)
    for other in names:
        annotation_places = _places(given_annotations, ANNOTATION_PLACES, other)
        if annotations := _first(root, annotation_places):
            name = other
            break
    image_places = _places(given_images, IMAGE_PLACES, name)
    annotation_places = _places(given_annotations, ANNOTATION_PLACES, name)
    images = _first(root, image_places)
    if images is None and annotations is not None and not given_images and _holds_images(root, annotations):
        images = root
    lacking = [Lacking(split, "images", image_places)] * (images is None)
    lacking += [Lacking(split, "annotations", annotation_places)] * (annotations is None)
    if lacking:
        raise MissingSplitError(root, lacking)
    return Split(images, annotations), name


def require_readable(source: Mapping[str, Any]) -> None:
    """Raises MissingSplitError, which says what to type, where a `coco_folder` is in another format."""
    errors = []
    for split in ("train", "val"):  # scoring needs but one
        try:
            _find_in_folder(split, **_options(source))
        except MissingSplitError as error:
            errors.append(error)
    if len(errors) == 2 and conversions(errors[0].root):
        raise MissingSplitError.of_all(errors)


def existing_split(source: Mapping[str, Any], split: SplitName, renew: bool = False) -> Split | None:
    """Where a split lies if it is here already: nothing is drawn or fetched. `source` is that of a config.

    `renew` writes anew what this program has noted of a folder, if that has changed.
    """
    options = _options(source)
    root = Path(str(options.pop("root", "")))
    room, _, kind = str(source.get("_target_")).rpartition(".")
    try:
        match kind if room == __name__ else room:
            case "shapes":
                from tradeoffs.data.shapes.maker import folder_of

                folder = folder_of(root, **options)
                found = Split(folder / split, folder / "annotations" / f"{split}.json")
            case "coco":
                found = coco_split(root, split, **options)
            case "voc":
                found = voc_split(root, split, **options)
            case "coco_folder":
                found, _ = _find_in_folder(split, root, **options)
            case "tradeoffs.data.labels.sources":
                from tradeoffs.data.labels.sources import existing

                found = existing(kind, split, root, options, renew)
            case "tradeoffs.data.pixel_labels.sources":
                from tradeoffs.data.pixel_labels.sources import existing

                found = existing(kind, split, root, options, renew)
            case _:
                return None
    except (UserError, TypeError):  # incomplete, or settings of another version
        return None
    return found if found.images.is_dir() and found.annotations.is_file() else None


def _options(source: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in source.items() if not key.startswith("_")}


def _ways_to_convert(ways: Mapping[str, str]) -> str:
    return " or ".join(f"{FORMATS[name].partition(',')[0]}; type: {command}" for name, command in ways.items())


def _places(given: str | None, usual: Sequence[str], name: str) -> list[str]:
    return [given] if given else [place.format(split=name) for place in usual]


def _first(root: Path, places: Sequence[str]) -> Path | None:
    return next((root / place for place in places if (root / place).exists()), None)


def _holds_images(folder: Path, annotations: Path) -> bool:
    """Whether one of the first files that the annotations name lies in the folder; some may well be missing."""
    names = (image.get("file_name") for image in read_annotation_file(annotations)["images"][:100])
    return any(isinstance(name, str) and (folder / name).is_file() for name in names)


def alone(root: Path) -> AbstractContextManager:
    """Several processes may start at once and find nothing: one fetches, the others wait.

    Where nothing can be written nobody fetches: a data set that a cluster's users share.
    """
    root.mkdir(parents=True, exist_ok=True)
    return FileLock(root / ".lock") if os.access(root, os.W_OK) else nullcontext()
