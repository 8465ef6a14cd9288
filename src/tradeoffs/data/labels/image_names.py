"""Finds the image that a list means, in whatever way it names it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from tradeoffs.data.convert.locate import path_parts, shared_parts
from tradeoffs.data.names import alike


class ImageNames:
    """The names of all images of a data set, from its folder on."""

    def __init__(self, names: Sequence[str]):
        self._all = frozenset(names)
        self._called: dict[str, list[str]] = defaultdict(list)
        for name in names:
            last = alike(name.rpartition("/")[2])
            for key in {last, last.rpartition(".")[0]}:
                self._called[key].append(name)

    def find(self, text: str, folders: Collection[str]) -> list[str]:
        """The image that `text` names, with its suffix or without: none, one, or several that it may be.

        Folders may lack in `text`, or be more than are below the data set's. Of several images those in `folders` win.
        """
        parts = path_parts(text)
        if not parts or (name := "/".join(parts)) in self._all:
            return [name] if parts else []
        called = self._called.get(alike(parts[-1]), ())
        found = [each for each in called if _agree(each.split("/"), parts)]
        return [each for each in found if each.partition("/")[0].lower() in folders] or found


def _agree(path: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the folders that both have are the same."""
    return shared_parts(path, parts) == min(len(path), len(parts))
