"""What the names of joints say: which two a mirror swaps, and which make up the torso."""

from __future__ import annotations

import re
from collections.abc import Sequence

SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
# `Left`, `R` of `RAnkle`, `ankle`, `LEFT`, digits.
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z](?=[A-Z][a-z])|[A-Z]+|\d+")
GLUED = re.compile(r"(left|right)([a-z]+)")


def flip_pairs(names: Sequence[str]) -> list[tuple[int, int]]:
    """Positions of the joints that a mirror swaps, the left one first: `left_x` and `right_x`, `R x`, `xL`, `l_x`."""
    places = {parts: number for number, name in enumerate(names) if (parts := side_of(name))}
    return [
        (number, places["right", rest])
        for (side, rest), number in places.items()
        if side == "left" and ("right", rest) in places
    ]


def swapped(names: Sequence[str]) -> list[int]:
    """For each joint the one that takes its place in a mirror: itself, unless it has a side."""
    return order_in_mirror(len(names), flip_pairs(names))


def order_in_mirror(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """The same of `count` joints, by the pairs that change places."""
    order = list(range(count))
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


def side_of(name: str) -> tuple[str, str] | None:
    """`left` or `right`, and what the joint is called besides; None for one without a side."""
    words = [word.lower() for word in WORD.findall(name)]
    words = [part for word in words for part in _unglued(word)]
    sides = [number for number, word in enumerate(words) if word in SIDES]
    if len(sides) != 1:
        return None
    side = words.pop(sides[0])
    return SIDES[side], "_".join(words)


def _unglued(word: str) -> tuple[str, ...]:
    """`left` and `ear` of `leftear`."""
    glued = GLUED.fullmatch(word)
    return glued.groups() if glued else (word,)


def torso(names: Sequence[str]) -> tuple[int, int] | None:
    """Left hip and right shoulder, whose distance is the torso's diameter (Sapp and Taskar 2013); None without them."""
    places = {side_of(name): number for number, name in enumerate(names)}
    hip, shoulder = places.get(("left", "hip")), places.get(("right", "shoulder"))
    return None if hip is None or shoulder is None else (hip, shoulder)
