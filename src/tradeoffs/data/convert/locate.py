"""Finds the photo that an annotation names, in whatever way its tool does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tradeoffs.data.convert.findings import Findings
from tradeoffs.data.convert.photos import photos_below
from tradeoffs.data.names import alike, normal

UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of uploaded photos


class PhotoFinder:
    """The photos in a folder and those below it, by name."""

    def __init__(self, folder: Path, findings: Findings):
        self.photos = photos_below(folder)
        self.folder = folder
        self.findings = findings
        self.found: set[Path] = set()
        self._named: dict[str, list[Path]] = defaultdict(list)
        self._uploaded: dict[str, list[Path]] = defaultdict(list)
        for path in self.photos:
            self._named[alike(path.name)].append(path)
            if UPLOAD.match(path.name):
                self._uploaded[alike(UPLOAD.sub("", path.name))].append(path)

    def find(self, name: str, near: Path) -> Path | None:
        """The photo, and a note where that needed a guess; None, and a note or a fault, where there is none or several.

        Of photos of one name those win that share most of the folders in `name`, then those below the folder `near`.
        """
        parts = path_parts(name)
        candidates = list(self._candidates(parts[-1])) if parts else []
        if not candidates:
            self.findings.note("photos that are named but not there, left out with their labels", name)
            return None
        near = near.absolute()
        ranks = [(shared_parts(path.parts, parts), path.absolute().is_relative_to(near)) for path in candidates]
        best = [path for path, rank in zip(candidates, ranks, strict=True) if rank == max(ranks)]
        if len(best) > 1:
            places = " or ".join(str(path.relative_to(self.folder)) for path in best[:3])
            self.findings.fault(f"{name} may be {places}; name one of them with its folder")
            return None
        if max(ranks)[0] < len(parts):
            self.findings.note("photos found by their name without its folders", f"{name} is {best[0].name}")
        self.found.add(best[0])
        return best[0]

    def tell_others(self) -> None:
        """Photos that nothing named."""
        for path in self.photos:
            if path not in self.found:
                self.findings.note("photos without annotations, left out", path.name)

    def _candidates(self, name: str) -> list[Path]:
        """Those of the very name, if there are any; otherwise capitals make no difference."""
        key, plain = alike(name), alike(UPLOAD.sub("", name))
        found = self._named.get(key) or self._uploaded.get(key) or self._named.get(plain) or []
        return [path for path in found if normal(path.name) == normal(name)] or found


def photo_folder(source: Path) -> Path:
    """Where to look for photos: in `source`, or beside or above it where it is a file (`annotations/x.json`)."""
    if source.is_dir():
        return source
    near = source.absolute().parent
    return next((folder for folder in (near, near.parent) if photos_below(folder)), near)


def path_parts(name: str) -> list[str]:
    """Folders and name in a path of any system, or in an address."""
    address = urlsplit(name) if "://" in name or name.startswith("/data/") else None
    if address:
        local = parse_qs(address.query).get("d")  # Label Studio: /data/local-files/?d=folder/photo.jpg
        name = local[0] if local else unquote(address.path)
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def shared_parts(path: Sequence[str], named: Sequence[str]) -> int:
    """How many of the last parts agree; the name itself counts as agreeing."""
    pairs = zip(reversed(path[:-1]), reversed(named[:-1]), strict=False)
    return 1 + next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(path), len(named)) - 1)
