"""Splits photos at random into training and validation, the same way on every machine."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from tradeoffs.errors import UserError


def partition(names: Iterable[str], val: float, seed: int, group: str | None = None) -> tuple[list[str], list[str]]:
    """The names for training and those for validation, each sorted: about the share `val` of them, at least one.

    What goes where depends on the names, `val`, `seed` and `group` alone, not on the order of the names. `group` is a
    regular expression with one group, searched in each name: names with equal text there stay on one side. Raises
    UserError where a share, a pattern or the number of photos makes that impossible.
    """
    if not 0 < val < 1:
        raise UserError(f"--val {val:g} is impossible; give the share of the photos for validation, as --val 0.2")
    names = sorted(set(names))
    groups = sorted(_groups(names, group).items(), key=lambda item: _lot(item[0], seed))
    if len(groups) < 2:
        what = f"{len(names)} photos in {len(groups)} groups of --group {group!r}" if group else f"{len(names)} photos"
        raise UserError(f"{what} cannot be split into training and validation; each needs one at least")
    chosen = set(_choose([members for _, members in groups], val * len(names)))
    return [name for name in names if name not in chosen], [name for name in names if name in chosen]


def _choose(groups: list[list[str]], wanted: float) -> list[str]:
    """Names of the groups, in their order, that each bring the number of names nearer to `wanted`."""
    chosen: list[list[str]] = []
    count = 0
    for members in groups:
        if abs(count + len(members) - wanted) < abs(count - wanted):
            chosen.append(members)
            count += len(members)
    if not chosen:
        chosen = [min(groups, key=len)]
    elif len(chosen) == len(groups):
        chosen.remove(min(chosen, key=len))
    return [name for members in chosen for name in members]


def _groups(names: list[str], pattern: str | None) -> dict[str, list[str]]:
    groups = defaultdict(list)
    for name, key in zip(names, _keys(names, pattern), strict=True):
        groups[key].append(name)
    return groups


def _keys(names: list[str], pattern: str | None) -> list[str]:
    if pattern is None:
        return names
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UserError(f"--group {pattern!r} is no regular expression: {error}") from None
    if compiled.groups != 1:
        raise UserError(f"--group {pattern!r} has {compiled.groups} groups; one is needed, as in '^(.*)_'")
    found = [compiled.search(name) for name in names]
    keys = [match and match[1] for match in found]
    if lacking := [name for name, key in zip(names, keys, strict=True) if not key]:
        line = f"--group {pattern!r} finds nothing in {len(lacking)} of {len(names)} names, the first is {lacking[0]}"
        raise UserError(f"{line}; widen it, as in '(PATTERN|.*)'")
    return [key or "" for key in keys]


def _lot(key: str, seed: int) -> tuple[bytes, str]:
    """Its place in the order by chance. File systems spell accents in two ways; both draw the same lot."""
    text = unicodedata.normalize("NFC", f"{seed}\n{key}")
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest(), key
