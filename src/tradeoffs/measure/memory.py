"""How much memory there is, and what it looks like when there is not enough."""

from __future__ import annotations

import re
from pathlib import Path

import torch

# What torch and CUDA's libraries say in a RuntimeError of the general kind.
COMPLAINTS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")


def free_bytes(device: torch.device) -> int | None:
    """What can be had without swapping; None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return free_host_bytes()


def free_host_bytes(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Of the machine, or of the container if that is allowed less (control groups, version 2)."""
    if not meminfo.exists():
        return None
    free = 1024 * int(re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo.read_text(), re.MULTILINE)[1])
    limit = group / "memory.max"
    if limit.exists() and (most := limit.read_text().strip()) != "max":
        free = min(free, int(most) - int((group / "memory.current").read_text()))
    return free


def is_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(complaint in str(error) for complaint in COMPLAINTS)
