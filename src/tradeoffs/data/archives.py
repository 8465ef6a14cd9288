"""COCO, Pascal VOC, Tiny ImageNet from their official addresses, fetched and unpacked where they are not there yet."""

from __future__ import annotations

import logging
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tqdm import tqdm

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.reading import picture_of
from tradeoffs.data.convert.split import Picture, write_splits
from tradeoffs.data.convert.voc import read_voc
from tradeoffs.data.download import fetch
from tradeoffs.errors import UserError

log = logging.getLogger(__name__)

COCO_HOST = "http://images.cocodataset.org"
VOC_HOST = "http://host.robots.ox.ac.uk/pascal/VOC"
TINY_IMAGENET_HOST = "http://cs231n.stanford.edu"


class Archive(NamedTuple):
    """`proof` is a file or folder that is there once the archive is unpacked."""

    path: str
    md5: str
    proof: str
    note: str = ""  # for people

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


COCO = {
    "train": Archive("zips/train2017.zip", "cced6f7f71b7629ddf16f17bbcfab6b2", "train2017", " (for training only)"),
    "val": Archive("zips/val2017.zip", "442b8da7639aecaf257c1dceb8ba8c80", "val2017"),
}
COCO_ANNOTATIONS = Archive(
    "annotations/annotations_trainval2017.zip", "f4bbac642086de4f52a3fdda2de5fa2c", "annotations"
)
VOC = (
    Archive(
        "voc2007/VOCtrainval_06-Nov-2007.tar",
        "c52e279531787c972589f7e41ab4ae64",
        "VOCdevkit/VOC2007/ImageSets/Main/trainval.txt",
    ),
    Archive(
        "voc2007/VOCtest_06-Nov-2007.tar",
        "b6e924de25625d8de591ea690078ad9f",
        "VOCdevkit/VOC2007/ImageSets/Main/test.txt",
    ),
    Archive(
        "voc2012/VOCtrainval_11-May-2012.tar",
        "6cd6e144f989b92b3379bac3b3de84fd",
        "VOCdevkit/VOC2012/ImageSets/Main/trainval.txt",
    ),
)
TINY_IMAGENET = Archive("tiny-imagenet-200.zip", "90528d7ca1a48142e341f4ef8d21d0de", "tiny-imagenet-200/wnids.txt")
VOC_YEARS = 2007, 2012
VOC_LISTS = {"train": (("VOC2007", "trainval"), ("VOC2012", "trainval")), "val": (("VOC2007", "test"),)}


class Split(NamedTuple):
    """Where a split lies: the first two arguments of `CocoDataset` and of `check_dataset`."""

    images: Path
    annotations: Path


def ensure_coco(
    root: Path, splits: Sequence[str] = ("train", "val"), kind: str = "instances", host: str = COCO_HOST
) -> dict[str, Split]:
    """COCO 2017 in `root/{annotations,train2017,val2017}`; `kind` is `instances` or `person_keypoints`.

    Fetches what lacks: 0.25 GB of annotations, 19.3 GB of training and 0.8 GB of validation images.
    Archives stay beside the folders and may be deleted. Raises UserError saying what to put where.
    """
    archives = (COCO_ANNOTATIONS, *COCO.values())
    for archive in (COCO_ANNOTATIONS, *(COCO[split] for split in splits)):
        _ensure(archive, host, root, archives)
    return {split: coco_split(root, split, kind) for split in splits}


def coco_split(root: Path, split: str, kind: str = "instances") -> Split:
    return Split(root / f"{split}2017", root / "annotations" / f"{kind}_{split}2017.json")


def ensure_voc(root: Path, host: str = VOC_HOST, years: Sequence[int] = VOC_YEARS) -> dict[str, Split]:
    """VOC in COCO format: trainval of these years ("07+12") for training, test of 2007 for validation.

    Fetches what lacks of 2.9 GB (2007 alone: 0.9) into `root/VOCdevkit`, and writes what `voc_split` names.
    """
    devkit = root / "VOCdevkit"
    splits = {split: voc_split(root, split, years) for split in VOC_LISTS}
    if all(split.annotations.exists() for split in splits.values()):
        return splits
    archives = [archive for archive in VOC if any(f"voc{year}" in archive.path for year in years)]
    for archive in archives:
        _ensure(archive, host, root, archives)
    findings, folders = Findings(), {f"VOC{year}" for year in years}
    pictures = {
        split: [picture for part in lists if part[0] in folders for picture in _pictures(devkit, *part, findings)]
        for split, lists in VOC_LISTS.items()
    }
    findings.require_none()
    for line in [*findings.lines(), *write_splits(pictures, splits["val"].annotations.parent)]:
        log.info(str(line))
    return splits


def _pictures(devkit: Path, year: str, name: str, findings: Findings) -> list[Picture]:
    """Sizes are not compared: these files are known by their checksums."""
    reading = read_voc(devkit / year, findings, {name: name}, "Main", exif=None)
    return [picture_of(photo, devkit) for photo in reading.splits[name]]


def voc_split(root: Path, split: str, years: Sequence[int] = VOC_YEARS) -> Split:
    folder = "annotations" if tuple(years) == VOC_YEARS else f"annotations{'_'.join(map(str, years))}"
    return Split(root / "VOCdevkit", root / folder / f"{split}.json")


def ensure_voc_segmentation(root: Path, host: str = VOC_HOST) -> Path:
    """The folder of VOC 2012, which is fetched, 2 GB, where it is not there."""
    _ensure(VOC[2], host, root, VOC[2:])
    return voc_segmentation_folder(root)


def voc_segmentation_folder(root: Path) -> Path:
    return root / "VOCdevkit" / "VOC2012"


def ensure_tiny_imagenet(root: Path, host: str = TINY_IMAGENET_HOST) -> Path:
    """The folder of Tiny ImageNet: `root` itself, or one in it that is fetched, 0.25 GB, where neither is there."""
    if tiny_imagenet_folder(root) != root:
        _ensure(TINY_IMAGENET, host, root, (TINY_IMAGENET,))
    return tiny_imagenet_folder(root)


def tiny_imagenet_folder(root: Path) -> Path:
    return root if (root / "wnids.txt").is_file() else root / "tiny-imagenet-200"


def _ensure(archive: Archive, host: str, root: Path, archives: Sequence[Archive]) -> None:
    """Where it cannot be fetched, says which of the set's `archives` are not there.

    A mark lies beside the archive while it is unpacked, so that half of it is not taken for all.
    """
    if _is_there(archive, root):
        return
    file = root / archive.name
    try:
        fetch(f"{host}/{archive.path}", file, archive.md5)
    except UserError as error:
        raise UserError(str(error), details=_lacking(archives, host, root)) from None
    unfinished = _mark(archive, root)
    unfinished.touch()
    unpack(file, root)
    unfinished.unlink()


def _is_there(archive: Archive, root: Path) -> bool:
    return (root / archive.proof).exists() and not _mark(archive, root).exists()


def _mark(archive: Archive, root: Path) -> Path:
    return root / f"{archive.name}.unpacking"


def _lacking(archives: Sequence[Archive], host: str, root: Path) -> tuple[str, ...]:
    lacking = [archive for archive in archives if not _is_there(archive, root) and not (root / archive.name).exists()]
    return tuple(f"missing: {root / archive.name} from {host}/{archive.path}{archive.note}" for archive in lacking)


def unpack(archive: Path, folder: Path) -> None:
    """Raises UserError, before anything is written, where a member would land outside `folder`."""
    try:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as opened:
                _require_inside(opened.namelist(), archive)
                for member in tqdm(opened.infolist(), f"unpacking {archive.name}", disable=None):
                    opened.extract(member, folder)
        else:
            with tarfile.open(archive) as opened:
                _require_inside(opened.getnames(), archive)
                for member in tqdm(opened.getmembers(), f"unpacking {archive.name}", disable=None):
                    opened.extract(member, folder, filter="data")  # refuses links that lead outside, too
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise UserError(f"cannot unpack {archive}: {error}; delete it and run the command again") from None


def _require_inside(names: list[str], archive: Path) -> None:
    for name in names:
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{archive} holds {name}, which would land outside its folder; nothing was unpacked")
