"""What a converter has to say about its source: what it did by itself, and what it cannot go on with."""

from __future__ import annotations

from tradeoffs.errors import UserError

MOST_FAULTS = 20  # that are listed


class Findings:
    """Notes of one kind become one line, faults one error."""

    def __init__(self):
        self._notes: dict[str, tuple[int, str]] = {}
        self._faults: list[str] = []

    def note(self, what: str, where: str = "", count: int = 1) -> None:
        """`where` is told of the first; a note without it is a line by itself."""
        before, first = self._notes.get(what, (0, where))
        self._notes[what] = (before + count, first)

    def fault(self, line: str) -> None:
        self._faults.append(line)

    @property
    def faults(self) -> list[str]:
        return list(self._faults)

    def lines(self) -> list[str]:
        return [f"{what}: {count} (first: {first})" if first else what for what, (count, first) in self._notes.items()]

    def require_none(self) -> None:
        """Raises UserError with all faults, if there are any."""
        if not self._faults:
            return
        first, *others = self._faults
        more = len(others) + 1 - MOST_FAULTS
        details = [*others[: MOST_FAULTS - 1], *([f"and {more} more"] if more > 0 else [])]
        raise UserError(f"{first}{f' (the first of {len(others) + 1} faults)' if others else ''}", tuple(details))
