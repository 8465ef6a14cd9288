"""What somebody wants to know of a table of runs: the best in one column, within limits of others."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

from tradeoffs.errors import UserError
from tradeoffs.results.columns import ACCURACY, CLOCKED, COLUMNS

BY_UNIT = {"ms": "ms", "images_per_second": "images/s"}  # columns that their unit names well enough
OF_DEVICE = (*CLOCKED, "memory", "minutes")
OF_LARGE_BATCH = ("images_per_second", "memory")
SIGNS = re.compile(r"(\w+)\s*(==|[<>]=?|[:\s])\s*(\S+)")  # that people write where `=` is meant
ASKABLE = [name for name, column in COLUMNS.items() if column.better]


class Limit(NamedTuple):
    """A column may be at most (`below`) or at least this, in the column's unit."""

    column: str
    value: float
    below: bool = True

    def __str__(self) -> str:
        side, amount = "below" if self.below else "above", f"{self.value:g}"
        if unit := BY_UNIT.get(self.column):
            return f"{side} {amount} {unit}"
        return f"with {title(self.column)} {side} {amount} {COLUMNS[self.column].unit}".rstrip()


class Question(NamedTuple):
    """`best` is None for the headline of the task."""

    limits: tuple[Limit, ...]
    best: str | None

    @property
    def columns(self) -> list[str]:
        return list(dict.fromkeys([self.best, *(limit.column for limit in self.limits)]))

    @property
    def of_device(self) -> bool:
        """Whether its numbers depend on the machine."""
        return any(name in OF_DEVICE for name in self.columns)

    @property
    def of_large_batch(self) -> bool:
        return any(name in OF_LARGE_BATCH for name in self.columns)


def read_question(limits: Sequence[tuple[str, str]], best: str | None = None) -> Question:
    """Of an option (`--below` or `--above`) and `COLUMN=NUMBER` each. Raises UserError for what cannot be asked."""
    if best is not None:
        require_column(best, "--best")
    return Question(tuple(read_limit(*limit) for limit in limits), best)


def read_limit(option: str, text: str) -> Limit:
    if (found := SIGNS.fullmatch(text.strip())) and found[1] in ASKABLE and math.isfinite(number(found[3])):
        meant = {"<": "--below", ">": "--above"}.get(found[2][0], option)
        raise UserError(
            f"{option} {text} is no limit; write {'' if meant == option else f'{meant} '}{found[1]}={found[3]}"
        )
    name, _, amount = text.partition("=")
    require_column(name, option)
    value = number(amount)
    if not math.isfinite(value):
        unit = COLUMNS[name].unit
        raise UserError(f"{option} {text} has no number; write {option} {name}=30{f', in {unit}' if unit else ''}")
    return Limit(name, value, option.endswith("below"))


def number(text: str) -> float:
    """nan for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def require_column(name: str, option: str) -> None:
    if name in ASKABLE:
        return
    if name in COLUMNS:
        raise UserError(f"{option} {name} cannot be answered: of {name} neither more nor less is better")
    close = get_close_matches(name.lower(), {each.lower(): each for each in ASKABLE}, n=1, cutoff=0.5)
    guess = next((each for each in ASKABLE if close and each.lower() == close[0]), None)
    hint = f"did you mean {guess}? " if guess else ""
    raise UserError(f"{option} {name} is unknown; {hint}choose: {', '.join(ASKABLE)}")


def title(name: str) -> str:
    """Of a column within a sentence."""
    if name in ACCURACY:
        return name
    what, _, where = COLUMNS[name].title.partition(", ")
    return f"{what} ({where})" if where else what


def amount(name: str, value: float) -> str:
    """A value with what it is: `mAP 0.532`, `13.2 ms`, `parameters 5.6 M`."""
    if unit := BY_UNIT.get(name):
        return f"{digits(value)} {unit}"
    return f"{title(name)} {digits(value)} {COLUMNS[name].unit}".rstrip()


def counted(count: int, noun: str) -> str:
    """Such as `1 record` or `1,200 records`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def digits(value: float) -> str:
    if not math.isfinite(value):
        return "not known"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
