"""Lists of photo names, one a line, that say which photos are in a split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.texts import read_text
from tradeoffs.data.names import IMAGE_SUFFIXES, normal
from tradeoffs.errors import UserError

FLAGS = ("-1", "0", "1")  # of the lists of one class: it is absent, only in difficult objects, present


def read_list(path: Path, photos: dict[str, list[Path]], findings: Findings) -> dict[str, list[Path]]:
    """The photos that the list names: stem -> files of that stem, in the order of the list.

    `photos` holds all there are, by stem. A line is a name with or without folder and suffix, blanks in it allowed; a
    flag or a second name may follow. Of a list of one class the photos without that class are left out. Raises
    UserError where the list is no text or names a photo that is not there.
    """
    named: dict[str, list[Path]] = {}
    lacking = []
    lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
    for line in lines:
        stem, files, flag = _resolve(line, photos)
        if not files:
            if not line.startswith("#"):
                lacking.append(stem)
        elif flag == "-1":
            findings.note(f"photos that {path.name} marks with -1, left out", stem)
        elif stem in named:
            findings.note(f"photos that {path.name} names more than once, taken once", stem)
        else:
            named[stem] = files
    if lacking:
        raise UserError(
            f"{path} names photos that are not there: {len(lacking)} of {len(lines)}, the first is {lacking[0]}"
        )
    if not named:
        raise UserError(f"{path} names no photo")
    return named


def _resolve(line: str, photos: dict[str, list[Path]]) -> tuple[str, list[Path], str]:
    """Stem, files and flag. The longest reading that names a photo wins: names may hold blanks and end in a number."""
    for text, flag in _readings(line):
        name = normal(text.replace("\\", "/").rpartition("/")[2])
        stem = name.rpartition(".")[0] if Path(name).suffix.lower() in (*IMAGE_SUFFIXES, ".xml") else name
        for known in (name, stem):
            if known in photos:
                same = [file for file in photos[known] if normal(file.name) == name]
                return known, same or photos[known], flag
    return stem, [], flag


def _readings(line: str) -> Iterator[tuple[str, str]]:
    yield line, ""
    head, *rest = line.rsplit(maxsplit=1)
    if rest and rest[0] in FLAGS:
        yield head, rest[0]
    yield line.split()[0], ""
