"""python -m tradeoffs.data.convert {voc,masks} SOURCE DEST: prints one line per split."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tradeoffs.data.convert.masks import convert_masks
from tradeoffs.data.convert.voc import convert_voc
from tradeoffs.errors import UserError


def main(arguments: list[str] | None = None) -> int:
    options = vars(_parser().parse_args(arguments))
    convert = options.pop("convert")
    try:
        for summary in convert(**options):
            print(summary)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m tradeoffs.data.convert", description="Writes a COCO-format folder.")
    formats = parser.add_subparsers(required=True, metavar="FORMAT")
    voc = _subparser(formats, "voc", "Annotations/*.xml, ImageSets, JPEGImages, SegmentationObject", convert_voc)
    voc.add_argument(
        "--split-names", dest="splits", nargs="+", type=_split_name, action=_Pairs, metavar="SPLIT[=LIST]",
        help="splits to write and the image lists they take, as train=trainval val=test; default: train val test",
    )  # fmt: skip
    voc.add_argument("--lists", default="Main", help="folder in ImageSets; Segmentation for images with masks")
    masks = _subparser(formats, "masks", "instance-mask PNGs as Penn-Fudan's", convert_masks)
    masks.add_argument("--class-name", default="person", help="what the objects are (default: person)")
    masks.add_argument("--validation-every", type=_at_least_two, default=5, help="each n-th image (default: 5)")
    return parser


def _subparser(formats, name: str, what: str, convert) -> argparse.ArgumentParser:
    parser = formats.add_parser(name, help=what, description=f"From {what}.")
    parser.set_defaults(convert=convert)
    parser.add_argument("source", type=Path)
    parser.add_argument("dest", type=Path, help="gets annotations/SPLIT.json and images")
    parser.add_argument("--copy", action="store_true", help="copy the images; default: DEST/images is a link to them")
    return parser


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
    sys.exit(main())
