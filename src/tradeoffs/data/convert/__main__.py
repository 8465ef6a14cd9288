"""python -m tradeoffs.data.convert [FORMAT] SOURCE DEST: prints a line for each split, and what is to be known.

A mistake is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import NoReturn

from tradeoffs.data.convert.coco import read_coco
from tradeoffs.data.convert.cvat import read_cvat
from tradeoffs.data.convert.detect import FORMATS, detect
from tradeoffs.data.convert.exif import Exif
from tradeoffs.data.convert.label_studio import read_label_studio
from tradeoffs.data.convert.masks import convert_masks
from tradeoffs.data.convert.mpii import convert_mpii
from tradeoffs.data.convert.reading import convert
from tradeoffs.data.convert.voc import convert_voc
from tradeoffs.data.convert.yolo import read_yolo
from tradeoffs.errors import UserError

# Format -> its reader, and on which photo its tools mark objects where the stated size does not tell.
READERS: dict[str, tuple[Callable, Exif]] = {
    "yolo": (read_yolo, "upright"),
    "coco": (read_coco, "stored"),
    "cvat": (read_cvat, "upright"),
    "label_studio": (read_label_studio, "upright"),
}


def main(arguments: list[str] | None = None) -> int:
    try:
        options = vars(_parser().parse_args(_with_format(sys.argv[1:] if arguments is None else arguments)))
        convert = options.pop("convert")
        for line in convert(**options):
            print(line)
    except UserError as error:
        return _complain("\n  ".join((f"error: {error}", *error.details)), 2)
    except OSError as error:  # no permission, no space
        return _complain(f"error: {error.filename or 'cannot read or write'}: {error.strerror or error}", 2)
    except KeyboardInterrupt:
        return _complain("\nstopped by Ctrl-C", 130)
    return 0


def _with_format(arguments: list[str]) -> list[str]:
    """Where two words are given and none is a format, the folder's files tell it."""
    words = list(takewhile(lambda word: not word.startswith("-"), arguments))
    known = {*FORMATS, "mpii", "auto"} & {*words[:1]} or {"-h", "--help"} & {*arguments}
    return arguments if known or len(words) > 2 or not arguments else ["auto", *arguments]


def convert_auto(source: Path, dest: Path, exif: Exif | None = None, **options) -> list:
    """From the format that the folder's files tell. Raises UserError where they tell none, or several."""
    if not source.exists():
        raise UserError(f"{source} is not there; give the folder that holds the data set to convert")
    found = detect(source)
    if not found.formats:
        raise UserError(f"{source} is in no format that is known here: {', '.join(FORMATS)}; see --help")
    name, *others = found.formats
    if others:
        line = f"{source} may be {' or '.join(found.formats)}; put one of these words before the folder"
        raise UserError(f"{line}, as in: python -m tradeoffs.data.convert {name} {source} {dest}")
    chosen = vars(_parser().parse_args([name, str(found.folder), str(dest)])) | options
    convert = chosen.pop("convert")
    return [f"{found.folder}: {FORMATS[name]}", *convert(**chosen | ({"exif": exif} if exif else {}))]


def _complain(line: str, code: int) -> int:
    print(line, file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help shows what there is")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        "python -m tradeoffs.data.convert",
        description="Writes a data set into a folder in COCO format, for data=coco_folder data.root=DEST.",
        epilog="FORMAT may be left out. Each has options of its own: python -m tradeoffs.data.convert voc --help",
    )
    formats = parser.add_subparsers(required=True, metavar="FORMAT")
    voc = _subparser(formats, "voc", FORMATS["voc"], convert_voc)
    voc.add_argument(
        "--split-names", dest="splits", nargs="+", type=_split_name, action=_Pairs, metavar="SPLIT[=LIST]",
        help="splits to write and the image lists they take, as train=trainval val=test; default: train val test",
    )  # fmt: skip
    voc.add_argument("--lists", help="folder in ImageSets (default: Main); Segmentation for images with masks")
    voc.add_argument("--photos", type=Path, metavar="FOLDER", help="where the photos are, if not in SOURCE")
    _exif(voc)
    _random_split(voc)
    for name, (read, exif) in READERS.items():
        reader = _subparser(formats, name, FORMATS[name], partial(convert, read))
        _exif(reader, exif)
        _random_split(reader)
    masks = _subparser(formats, "masks", FORMATS["masks"], convert_masks)
    masks.add_argument("--class-name", default="person", help="what the objects are (default: person)")
    masks.add_argument(
        "--validation-every", type=_at_least_two, metavar="N", help="each N-th photo by name, if no --val (default: 5)"
    )
    masks.add_argument(
        "--pieces", choices=("apart", "together"), help="in masks of one number: is each separate piece an object?"
    )
    _exif(masks)
    _random_split(masks)
    mpii = _subparser(formats, "mpii", "MPII Human Pose: images, and its MAT file or lists in JSON", convert_mpii)
    mpii.add_argument("--val", type=float, default=0.1, help="share of the photos for validation (MAT; default: 0.1)")
    mpii.add_argument("--seed", type=int, default=0, help="another number draws another split (MAT; default: 0)")
    auto = _subparser(formats, "auto", "any of the formats above; this word may be left out", convert_auto)
    _exif(auto, None)
    _random_split(auto)
    return parser


def _subparser(formats, name: str, what: str, convert) -> argparse.ArgumentParser:
    parser = formats.add_parser(name, help=what, description=f"From {what}.")
    parser.set_defaults(convert=convert)
    parser.add_argument("source", type=Path, metavar="SOURCE", help="the folder to convert; nothing in it is changed")
    parser.add_argument("dest", type=Path, metavar="DEST", help="gets annotations/SPLIT.json and images")
    parser.add_argument("--copy", action="store_true", help="copy the images; default: DEST/images is a link to them")
    parser.add_argument("--overwrite", action="store_true", help="replace another data set that DEST holds")
    return parser


def _exif(parser: argparse.ArgumentParser, default: Exif | None = "stored") -> None:
    what = "objects were marked on the photos as stored, or upright as viewers show them"
    shown = default or "that of the format"
    parser.add_argument("--exif", choices=("stored", "upright"), default=default, help=f"{what} (default: {shown})")


def _random_split(parser: argparse.ArgumentParser) -> None:
    """What `partition` takes, for sources that may have no splits."""
    parser.add_argument("--val", type=float, help="share of the photos for validation where there is no split: 0.2")
    parser.add_argument("--seed", type=int, default=0, help="another number draws another split (default: 0)")
    parser.add_argument("--group", help="photos with equal text in this pattern's group stay together: '^(.*)_'")


class _Pairs(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        setattr(namespace, self.dest, dict(values))


def _split_name(text: str) -> tuple[str, str]:
    split, _, name = text.partition("=")
    return split, name or split


def _at_least_two(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 2 or more")
    return int(text)


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal cannot show
    sys.exit(main())
