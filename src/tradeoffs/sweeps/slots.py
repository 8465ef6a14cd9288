"""What each job of a sweep gets of a machine: some of its GPUs, or some of its cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from tradeoffs.errors import UserError
from tradeoffs.sweeps.plan import Job


class Slot(NamedTuple):
    """Numbers of cores, and GPUs as CUDA_VISIBLE_DEVICES names them; None for whatever there is."""

    cores: tuple[int, ...] | None = None
    gpus: tuple[str, ...] | None = None

    def take(self) -> None:
        """Holds this process, and all that it starts, to the slot. Call it before CUDA is touched."""
        if self.gpus is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus)
        if self.cores is not None:
            import torch

            torch.set_num_threads(len(self.cores))  # further processes of the run count their cores themselves
            if hasattr(os, "sched_setaffinity"):  # not on macOS and Windows
                os.sched_setaffinity(0, self.cores)


def divide(jobs: Sequence[Job], at_once: int | str) -> list[Slot]:
    """A slot for each of the jobs that run at once; `auto` means as many as the GPUs go round, and one on the CPU.

    Raises UserError for more jobs than there are GPUs or cores for.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    gpus = [] if all(job.config.trainer.accelerator == "cpu" for job in jobs) else visible_gpus()
    each = max((gpus_of(job, len(gpus)) for job in jobs), default=1)
    most = len(gpus) // each if gpus else len(cores)
    count = (most if gpus else 1) if at_once == "auto" else int(at_once)
    if count > max(most, 1):
        what = f"{len(gpus)} GPUs for jobs with {each} each" if gpus else f"{len(cores)} cores"
        raise UserError(f"jobs={count} at once is impossible: here are {what}; give {max(most, 1)} or less")
    if count <= 1:
        return [Slot()]
    return [
        Slot(
            tuple(cores[place::count]) or None,
            tuple(gpus[place * each : (place + 1) * each]) if gpus else None,
        )
        for place in range(count)
    ]


def gpus_of(job: Job, found: int) -> int:
    devices = job.config.trainer.devices
    return devices if isinstance(devices, int) and devices > 0 else max(found, 1)


def visible_gpus() -> list[str]:
    """As CUDA_VISIBLE_DEVICES names them: those that it lets through, or all."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    named = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return named[:count] if named else [str(number) for number in range(count)]
