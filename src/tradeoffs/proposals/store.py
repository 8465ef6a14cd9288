"""What was proposed for images, on the disk: computed once, read by every training."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tradeoffs.files import write_whole
from tradeoffs.proposals.proposer import Proposed

DIGITS = 12  # of the identity's hash
FORMAT = 1  # raised when files are written otherwise


class ProposalStore:
    """A folder `NAME-HASH` below `folder` for each algorithm with its options; `identity.json` in it says which.

    An image goes by a digest of its file's content, so copies and other names of it share what was proposed. Each has a
    file of its own, in 256 sub-folders by the digest's first two digits. Files are written whole or not at all.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]):
        self.identity = {**identity, "format": FORMAT}
        text = json.dumps(self.identity, sort_keys=True)
        self.hash = hashlib.sha256(text.encode()).hexdigest()[:DIGITS]
        self.folder = Path(folder) / f"{identity['name']}-{self.hash}"

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.npz"

    def prepare(self) -> None:
        """Makes the folder, before anything is written into it. Raises OSError where that is impossible."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "identity.json", json.dumps(self.identity, indent=2))

    def write(self, digest: str, size: Sequence[int], proposed: Proposed) -> None:
        """Of an image of `size` (height, width). Raises OSError where it cannot be written: on a full disk, say."""
        content = io.BytesIO()
        np.savez(content, image=self._key(digest, size), boxes=proposed.boxes, scores=proposed.scores)
        path = self.path(digest)
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content.getbuffer())

    def read(self, digest: str, size: Sequence[int]) -> Proposed | None:
        """None where there is nothing, or nothing whole: cut off, damaged, of another image or another algorithm."""
        try:
            with np.load(self.path(digest), allow_pickle=False) as content:
                key, proposed = str(content["image"]), Proposed(content["boxes"], content["scores"])
        except Exception:  # numpy and zipfile have some ten kinds for bytes that are not what they should be
            return None
        return proposed if key == self._key(digest, size) and _is_sound(proposed) else None

    def _key(self, digest: str, size: Sequence[int]) -> str:
        height, width = size
        return f"{self.hash} {digest} {width} x {height}"


def _is_sound(proposed: Proposed) -> bool:
    boxes, scores = proposed
    count = len(scores) if scores.ndim == 1 else -1
    return boxes.shape == (count, 4) and boxes.dtype == scores.dtype == np.float32
