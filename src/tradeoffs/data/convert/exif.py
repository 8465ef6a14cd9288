"""Was a photo annotated as its file stores it, or as viewers show it that follow its EXIF orientation?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import Photo

Exif = Literal["stored", "upright"]

ASSUMED = {"stored": "the pixels as they are stored", "upright": "the photo as it is shown, upright"}


def settle(photo: Photo, stated: tuple[int, int] | None, file: Path | str, exif: Exif, findings: Findings) -> None:
    """Sets `photo.upright` by the size, width and height, that the annotation `file` states; None if it states none.

    Where that size is of both, or none is stated, `exif` decides, with a note. Anything else is a fault.
    """
    size = photo.size
    stored, upright = (size.width, size.height), size.upright
    if stated not in (None, stored, upright):
        findings.fault(
            f"{file} is of {_text(stated)} pixels, its photo {photo.path} of {_text(stored)}; if the photo was resized "
            "or exchanged, take the one that was annotated; if only the size is written wrongly, correct it"
        )
    elif stated == upright != stored and exif == "stored":
        findings.fault(
            f"{file} is of {_text(stated)} pixels, the size in which {photo.path} is shown by its EXIF orientation "
            f"{size.orientation}; stored are {_text(stored)}; --exif upright turns what was marked, or save the photos "
            "upright and without EXIF"
        )
    elif size.orientation > 1 and (stated is None or stored == upright):
        photo.upright = exif == "upright"
        other = "stored" if photo.upright else "upright"
        findings.note(
            "photos with an EXIF orientation whose annotated size, if any, fits both ways; boxes taken for those of "
            f"{ASSUMED[exif]} (--exif {other} takes the other)",
            photo.path.name,
        )
    elif stated == upright != stored:
        photo.upright = True
        findings.note("photos whose boxes were turned into the stored pixels, by EXIF orientation", photo.path.name)


def _text(size: tuple[int, int] | None) -> str:
    return f"{size[0]} x {size[1]}" if size else ""
