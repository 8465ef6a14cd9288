"""Which format is a folder in? Told by names and the first bytes of a few files: large folders take no time."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

FORMATS = {
    "yolo": "YOLO text files, with data.yaml or without",
    "coco": "COCO format as Roboflow, CVAT, Label Studio and others export it",
    "cvat": "CVAT's XML for images",
    "label_studio": "Label Studio's JSON",
    "voc": "Pascal VOC's XML files, with lists in ImageSets or without",
    "masks": "instance-mask PNGs as Penn-Fudan's",
}

DEPTH = 4  # of folders that are looked into
SAMPLES = 20  # of the files of one kind in one folder that are opened
ENDS = 65_536  # bytes that are read at each end of a JSON file
SUFFIXES = (".json", ".xml", ".txt", ".yaml", ".yml", ".data")
LABEL_MASKS = {"PedMasks", "masks"}

SPLIT_WORDS = {
    "train": re.compile(r"(?<![a-z])(train|training)(?![a-z])", re.IGNORECASE),
    "val": re.compile(r"(?<![a-z])(val|valid|validation)(?![a-z])", re.IGNORECASE),
}
YOLO_LINE = re.compile(rb"(\xef\xbb\xbf)?\s*\d+(\.0*)?([\s,;]+[-+.\de]+){4,}\s*?(\r|\n|\Z)")
YAML_KEYS = re.compile(rb"^(names|nc|train)\s*:", re.MULTILINE)
COCO_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


class DetectedFormats(NamedTuple):
    """The formats that a folder may be in, the likeliest first."""

    folder: Path  # the one given, or the only one in it, as archives are unpacked
    formats: list[str]
    splits: set[str]  # train and val, where a name says so


def detect(folder: Path) -> DetectedFormats:
    folder = _only_folder(folder)
    files = list(_samples(folder))
    formats = {kind for kind in map(_kind, files) if kind}
    names = [part for path in files for part in path.relative_to(folder).parts]
    if {path.name for path in folder.iterdir()} & LABEL_MASKS and not formats:
        formats.add("masks")
    splits = {split for split, word in SPLIT_WORDS.items() if any(map(word.search, names))}
    if any(map(_says_validation, files)):
        splits.add("val")
    return DetectedFormats(folder, [name for name in FORMATS if name in formats], splits)


def conversions(folder: Path) -> dict[str, str]:
    """Format that the folder may be in -> what to type to convert it and to train on it."""
    found = detect(folder)
    source = found.folder
    dest = source.resolve().with_name(f"{source.resolve().name}_coco")
    dest = dest if source.is_absolute() else Path(os.path.relpath(dest))
    share = "" if "val" in found.splits else " --val 0.2"
    # In COCO format, a split for validation alone leaves nothing to train on.
    formats = [name for name in found.formats if name != "coco" or found.splits != {"val"}]
    places = f"{shlex.quote(str(source))} {shlex.quote(str(dest))}"
    train = f"python train.py data=coco_folder {shlex.quote(f'data.root={hydra_value(str(dest))}')}"
    return {name: f"python -m tradeoffs.data.convert {name} {places}{share} && {train}" for name in formats}


def hydra_value(text: str) -> str:
    """As the right side of an override: quoted where Hydra would take a character for its own."""
    if re.fullmatch(r"[\w./~+-]+", text, re.ASCII) and not re.fullmatch(r"[\d.+-]+", text):
        return text
    return '"' + text.replace('"', '\\"') + '"'


def json_kind(path: Path) -> str | None:
    """`coco`, `label_studio` or nothing, by what stands at both ends of the file."""
    with path.open("rb") as file:
        head = file.read(ENDS)
        file.seek(max(ENDS, path.stat().st_size - ENDS))
        ends = head + b"\n" + file.read()
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if first == b"{" and len(set(COCO_KEYS.findall(ends))) >= 2:
        return "coco"
    is_task = b'"data"' in ends and (b'"annotations"' in ends or b'"completions"' in ends)
    return "label_studio" if first == b"[" and (is_task or b'"original_width"' in ends) else None


def _kind(path: Path) -> str | None:
    match path.suffix.lower():
        case ".json":
            return json_kind(path)
        case ".xml":
            head = _head(path)
            return "cvat" if b"<annotations" in head else "voc" if b"<annotation" in head else None
        case ".txt":
            return "yolo" if YOLO_LINE.match(_head(path)) else None
        case ".data":
            return "yolo" if b"names" in _head(path) else None
        case _:
            return "yolo" if len(set(YAML_KEYS.findall(_head(path)))) >= 2 else None


def _says_validation(path: Path) -> bool:
    return path.suffix in (".yaml", ".yml", ".data") and re.search(rb"(?m)^val\w*\s*[:=]\s*\S", _head(path)) is not None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _samples(folder: Path) -> Iterator[Path]:
    """Some files of each kind that may hold annotations, of each folder."""
    for place, folders, files in os.walk(folder, followlinks=True):
        inner = Path(place).relative_to(folder)
        folders[:] = sorted(_visible(folders)) if len(inner.parts) < DEPTH else []
        for suffix in SUFFIXES:
            names = sorted(name for name in _visible(files) if name.lower().endswith(suffix))
            yield from (Path(place, name) for name in names[:SAMPLES])


def _only_folder(folder: Path) -> Path:
    for _ in range(DEPTH):
        inside = list(islice(_visible(path.name for path in folder.iterdir()), 2))
        if len(inside) != 1 or not (folder / inside[0]).is_dir():
            break
        folder = folder / inside[0]
    return folder


def _visible(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not name.startswith(".") and name != "__MACOSX")
