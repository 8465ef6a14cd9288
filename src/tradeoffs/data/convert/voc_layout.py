"""Which photo belongs to which XML, and which of them are in which split."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import files_below, photos_below
from tradeoffs.data.convert.reading import split_of
from tradeoffs.data.convert.voc_lists import read_list
from tradeoffs.data.convert.voc_xml import VocAnnotation, read_annotation
from tradeoffs.data.names import normal
from tradeoffs.errors import UserError

SPLITS = {  # split -> its lists, of which the first that is there is taken
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
LIST_FOLDERS = ("ImageSets/Main", "ImageSets", ".")
MASKS = {"SegmentationObject", "SegmentationClass"}

ByStem = dict[str, list[Path]]


class Pair(NamedTuple):
    photo: Path
    annotation: VocAnnotation


def pairs_by_list(
    source: Path, photos_in: Path, splits: dict[str, str] | None, lists: str | None, findings: Findings
) -> dict[str, list[Pair]] | None:
    """Of each split the photos that its list names, in that order; None where `source` has no lists.

    Raises UserError where lists that were asked for are not there, or a list names photos that are not.
    """
    files = _list_files(source, splits, lists)
    if files is None:
        return None
    photos, annotations = _photos(photos_in), _by_stem(_xml_files(source))
    found = {}
    pair_of: dict[str, Pair | None] = {}
    for split, file in files.items():
        named = read_list(file, photos, findings)
        for stem, candidates in named.items():
            if stem not in pair_of:
                pair_of[stem] = _pair(stem, candidates, annotations.get(stem, []), photos, findings)
        found[split] = [pair for stem in named if (pair := pair_of[stem])]
    return found


def pairs_by_folder(source: Path, photos_in: Path, findings: Findings) -> dict[str, list[Pair]]:
    """All photos with an XML. Folders named train, val or test say which split; otherwise it is `""`."""
    photos = _photos(photos_in)
    by_photo: dict[Path, list[VocAnnotation]] = defaultdict(list)
    for file in _xml_files(source):
        annotation = _read(file, findings)
        photo = annotation and _photo_of(annotation, photos.get(normal(file.stem), []), photos, findings)
        if annotation and photo:
            by_photo[photo].append(annotation)
    _tell_unpaired(by_photo, [photo for same in photos.values() for photo in same], findings)
    findings.require_none()
    if not by_photo:
        raise UserError(f"{source} has no photo with an XML file of its name; expected a.jpg and a.xml")
    found = defaultdict(list)
    for photo, (annotation, *_) in sorted(by_photo.items()):
        places = (photo.parent.relative_to(photos_in), annotation.path.parent.relative_to(source))
        found[next(filter(None, map(split_of, places)), "")].append(Pair(photo, annotation))
    return found


def _list_files(source: Path, splits: dict[str, str] | None, lists: str | None) -> dict[str, Path] | None:
    folders = [f"ImageSets/{lists}"] if lists else LIST_FOLDERS
    for folder in (source / name for name in folders):
        there = {path.stem: path for path in folder.glob("*.txt")}
        if splits and there.keys() >= set(splits.values()):
            return {split: there[name] for split, name in splits.items()}
        usual = {split: next((there[name] for name in names if name in there), None) for split, names in SPLITS.items()}
        if not splits and any(usual.values()):
            return {split: path for split, path in usual.items() if path}
    others = sorted(path.relative_to(source).as_posix() for path in (source / "ImageSets").rglob("*.txt"))
    if splits or lists or others:
        wanted = ", ".join(splits.values() if splits else SPLITS)
        where = f"ImageSets/{lists}" if lists else "ImageSets/Main"
        raise UserError(f"{source} has the lists {others}; wanted {wanted} in {where} (--split-names and --lists)")
    return None


def _pair(stem: str, named: list[Path], files: list[Path], photos: ByStem, findings: Findings) -> Pair | None:
    if len(files) == 1:
        annotation = _read(files[0], findings)
        photo = annotation and _photo_of(annotation, named, photos, findings)
        return Pair(photo, annotation) if annotation and photo else None
    if files:
        findings.fault(f"the photo {stem} has several annotations: {', '.join(map(str, files))}; keep one")
    else:
        findings.fault(f"there is no annotation {stem}.xml of {named[0]}, which a list names")
    return None


def _read(file: Path, findings: Findings) -> VocAnnotation | None:
    try:
        return read_annotation(file, findings)
    except UserError as error:
        findings.fault(str(error))
        return None


def _photo_of(annotation: VocAnnotation, own: list[Path], photos: ByStem, findings: Findings) -> Path | None:
    """One of its `own`, which have the XML's name; only where there are none, that of its <filename>."""
    other = [path for path in photos.get(normal(Path(annotation.file_name).stem), []) if path not in own]
    if own and other:
        findings.note(
            "XML whose <filename> names another photo, taken for that of its own name",
            f"{annotation.path.name}, {annotation.file_name}",
        )
    elif other:
        findings.note("XML without a photo of its name, taken for that of its <filename>", annotation.path.name)
    elif not own:
        findings.note("XML without a photo, left out", annotation.path.name)
    return _choose(annotation, own or other, findings)


def _choose(annotation: VocAnnotation, photos: list[Path], findings: Findings) -> Path | None:
    """Of photos of one name: that beside the XML, that of <filename>, of its suffix, or of the likest folders."""
    if len(photos) < 2:
        return photos[0] if photos else None
    ranks = {photo: _rank(photo, annotation) for photo in photos}
    best = [photo for photo, rank in ranks.items() if rank == max(ranks.values())]
    if len(best) > 1:
        names = " or ".join(str(photo) for photo in best)
        findings.fault(
            f"{annotation.path} may belong to {names}; <filename> says {annotation.file_name or 'nothing'}; rename one"
        )
        return None
    if any(photo.parent == best[0].parent for photo in photos if photo != best[0]):
        findings.note("photos of one name, told apart by <filename>", best[0].name)
    return best[0]


def _rank(photo: Path, annotation: VocAnnotation) -> tuple:
    here, there = photo.parent.parts, annotation.path.parent.parts
    named = Path(annotation.file_name)
    return (
        here == there,
        photo.name == named.name,
        photo.suffix.lower() == named.suffix.lower(),
        _shared(reversed(here), reversed(there)),
        _shared(here, there),
    )


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    """How many parts are equal, from the first on."""
    equal = [a == b for a, b in zip(one, other, strict=False)]
    return equal.index(False) if False in equal else len(equal)


def _tell_unpaired(by_photo: dict[Path, list[VocAnnotation]], photos: list[Path], findings: Findings) -> None:
    for photo, found in by_photo.items():
        if len(found) > 1:
            names = ", ".join(str(annotation.path) for annotation in found)
            findings.fault(f"{photo} has several annotations: {names}; keep one")
    for photo in photos:
        if photo not in by_photo:
            findings.note("photos without an XML, left out", photo.name)


def _photos(source: Path) -> ByStem:
    """Those of JPEGImages, where there is such a folder; never VOC's masks."""
    folder = source / "JPEGImages"
    found = photos_below(folder if folder.is_dir() else source)
    return _by_stem(path for path in found if not MASKS & set(path.relative_to(source).parts))


def _xml_files(source: Path) -> list[Path]:
    folder = source / "Annotations"
    files = files_below(folder if folder.is_dir() else source)
    return sorted(path for path in files if path.suffix.lower() == ".xml")


def _by_stem(paths: Iterable[Path]) -> ByStem:
    found = defaultdict(list)
    for path in paths:
        found[normal(path.stem)].append(path)
    return dict(found)
