"""What follows from the faults of a data set: stop and list them, or leave out what has them, and list that."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from tradeoffs.errors import UserError

log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """One fault in one line. Leaving out the image or annotation it names, if any, or the copies mends the data set.

    Of many alike that harm little, the first stands for all.
    """

    severity: Literal["error", "warning"]
    where: str
    what: str
    image_id: int | None = None
    annotation: int | None = None  # its place in the file's list: ids may be missing, or stand twice
    copies: int = 0  # entries that repeat an earlier one; the reader never counts them
    more: int = 0  # of this kind

    @property
    def can_be_left_out(self) -> bool:
        return self.image_id is not None or self.annotation is not None or self.copies > 0

    def __str__(self) -> str:
        return f"{self.severity}: {self.where}: {self.what}" + (f" (and {self.more} more like it)" if self.more else "")


class LeftOut(NamedTuple):
    """What `CocoDataset` shall not read."""

    images: frozenset[int] = frozenset()  # ids
    annotations: frozenset[int] = frozenset()  # places in the file's list


def left_out_by(faults: Iterable[Fault]) -> LeftOut:
    """What mends those of the faults that can be mended so. Warnings never name an image or an annotation."""
    faults = list(faults)
    return LeftOut(
        frozenset(fault.image_id for fault in faults if fault.image_id is not None),
        frozenset(fault.annotation for fault in faults if fault.annotation is not None),
    )


def require_sound(
    faults: Mapping[Path, list[Fault]], on_fault: Literal["stop", "drop"] = "stop"
) -> dict[Path, LeftOut]:
    """Raises UserError with all faults of all splits (by annotation file) if there is an error in any.

    Otherwise logs the warnings. `on_fault="drop"` returns what to leave out instead of
    raising, and logs it fault by fault; it raises UserError with those faults that this cannot mend, if any.
    """
    errors = {file: [fault for fault in found if fault.severity == "error"] for file, found in faults.items()}
    if on_fault == "stop":
        _stop(errors, faults)
    else:
        _require_droppable(errors)
    for warning in (fault for found in faults.values() for fault in found if fault.severity == "warning"):
        log.warning(str(warning))
    return {file: _leave_out(found, file) for file, found in errors.items()}


def _stop(errors: Mapping[Path, list[Fault]], faults: Mapping[Path, list[Fault]]) -> None:
    faulty = [file for file, found in errors.items() if found]
    if faulty:
        headline = "; ".join(_headline(errors[file], file) for file in faulty)
        raise UserError(headline, details=tuple(str(fault) for file in faulty for fault in faults[file]))


def _require_droppable(errors: Mapping[Path, list[Fault]]) -> None:
    stuck = {file: [fault for fault in found if not fault.can_be_left_out] for file, found in errors.items()}
    stuck = {file: found for file, found in stuck.items() if found}
    if not stuck:
        return
    several = sum(map(len, stuck.values())) > 1
    headline = "; ".join(_headline(found, file) for file, found in stuck.items())
    raise UserError(
        f"data.on_fault=drop leaves out single images and annotations, which does not mend {headline}; "
        f"correct {'these' if several else 'this'} by hand",
        details=tuple(str(fault) for found in stuck.values() for fault in found),
    )


def _leave_out(errors: list[Fault], annotations: Path) -> LeftOut:
    left_out = left_out_by(errors)
    if errors:
        counts = f"left out images: {len(left_out.images)}, annotations: {len(left_out.annotations)}"
        copies = sum(fault.copies for fault in errors)
        kept = f", copies: {copies} (the first of each is kept)" if copies else ""
        lines = [f"{counts}{kept}; {_count(errors)} in {annotations}:", *map(str, errors)]
        log.warning("\n  ".join(lines))
    return left_out


def _headline(faults: list[Fault], annotations: Path) -> str:
    more = ", ..." if len(faults) > 1 else ""
    return f"{_count(faults)} in {annotations}: {faults[0].where}: {faults[0].what}{more}"


def _count(faults: list[Fault]) -> str:
    count = sum(1 + fault.more for fault in faults)
    return f"{count} fault{'s' if count > 1 else ''}"
