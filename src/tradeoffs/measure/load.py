"""How busy a machine is with other work while something is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

BUSY = 0.1  # share of the processor that others may take before times are called disturbed
STAT = Path("/proc/stat")


def was_busy(cost: Mapping[str, Any]) -> bool:
    """Whether others took much of the processor while the costs of a record were measured."""
    return (cost.get("other_load") or 0) > BUSY


def doubt_about(cost: Mapping[str, Any]) -> str | None:
    """Why the times of a record are not to be trusted, if so."""
    if was_busy(cost):
        return f"these times are disturbed: other programs took {cost['other_load']:.0%} of the processor"
    if any((batch or {}).get("disturbed") for batch in (cost.get("batches") or {}).values()):
        return "these times are disturbed: they spread over more than a tenth"
    return None


class OtherLoad:
    """Used as a context manager: the `share` (0 to 1) of all cores that other programs took meanwhile.

    A load that lasts does not widen the spread of timings, so the spread alone would not show it. None where the system
    does not say (only Linux does).
    """

    def __init__(self) -> None:
        self.share: float | None = None

    def __enter__(self) -> OtherLoad:
        self._before = reading()
        return self

    def __exit__(self, *_: object) -> None:
        self.share = share_of_others(self._before, reading(), os.cpu_count() or 1)


def reading() -> tuple[float, float, float] | None:
    """Seconds on the clock, seconds that all cores worked, and seconds that they worked for this process."""
    if not STAT.exists():
        return None
    user, nice, system, _, _, interrupt, soft_interrupt, stolen = map(int, STAT.read_text().split(None, 9)[1:9])
    ticks = user + nice + system + interrupt + soft_interrupt + stolen
    return time.monotonic(), ticks / os.sysconf("SC_CLK_TCK"), time.process_time()


def share_of_others(
    before: tuple[float, float, float] | None, after: tuple[float, float, float] | None, cores: int
) -> float | None:
    if before is None or after is None or after[0] == before[0]:
        return None
    passed, worked, own = (late - early for early, late in zip(before, after, strict=True))
    return min(max((worked - own) / (passed * cores), 0.0), 1.0)
