"""Where a measurement was made: machine, its state, library versions, commit."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torchvision

import tradeoffs

# Parts of `where` without which two measurements are of two machines, and the same of its `gpu_state`.
FIXED = (
    *("device", "cpu", "cores", "threads", "omp_wait_policy", "platform", "python", "torch", "torchvision", "cuda"),
    *("cudnn", "cudnn_benchmark", "cudnn_tf32"),
)
FIXED_OF_GPU = ("clocks.max.sm", "power.limit", "driver_version")
GPU_STATE = ("clocks.sm", "clocks.mem", "clocks.max.sm", "temperature.gpu", "power.limit", "driver_version")


def describe_environment(device: torch.device | str) -> dict[str, Any]:
    """The record's `where`; called before the measurement, so that the load is that of others.

    Two measurements compare only if `device` is the same; the rest explains differences.
    """
    device = torch.device(device)
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device_name(device),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY"),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,  # float32 convolutions on tensor cores, rounded to ten bits
        "git": git_state(),
        **device_state(device),
    }


def device_state(device: torch.device) -> dict[str, Any]:
    """What changes from one minute to the next: clocks, temperature, load."""
    return {
        "cpu_mhz": cpu_mhz(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else None,
        "gpu_state": gpu_state(device) if device.type == "cuda" else None,
    }


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_model()


def cpu_model() -> str:
    """The name in /proc/cpuinfo, or Python's word for the processor where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else None
    return found[1].strip() if found else platform.processor() or platform.machine()


def cpu_mhz() -> float | None:
    """The clock at this moment, mean of all cores; a virtual machine may show what it was promised. None if unknown."""
    cpuinfo = Path("/proc/cpuinfo")
    found = re.findall(r"^cpu MHz\s*: ([\d.]+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.exists() else []
    return round(sum(map(float, found)) / len(found), 1) if found else None


def hardware_name(where: dict[str, Any]) -> str:
    """The device of a record's `where` as part of a file name, such as `amd-epyc-2-cores`."""
    cores = f" {where['cores']} cores" if where["device"] == where["cpu"] else ""
    plain = re.sub(r"\((?:R|TM)\)|\bCPU\b|@.*", " ", where["device"], flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", f"{plain}{cores}".lower()).strip("-")


def gpu_state(device: torch.device) -> dict[str, str] | None:
    """Clocks (MHz), temperature, power limit (W) and driver as nvidia-smi tells them; None where it is missing."""
    chosen = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    answer = run("nvidia-smi", "-i", chosen, f"--query-gpu={','.join(GPU_STATE)}", "--format=csv,noheader,nounits")
    if answer is None:
        return None
    if answer.returncode:
        return {"error": (answer.stdout + answer.stderr).strip()}
    return dict(zip(GPU_STATE, answer.stdout.strip().split(", "), strict=True))


def git_state() -> dict[str, Any] | None:
    """Commit of this project's repository and whether the program differs from it; None without git or a repository."""
    source = Path(tradeoffs.__file__).resolve().parents[1]
    top = git(source, "rev-parse", "--show-toplevel")
    if top is None or Path(top) != source.parent:  # installed somewhere inside another repository
        return None
    # Somebody's photos or notes in the folder are no change of the program; new files of its own are.
    changes = git(source.parent, "status", "--porcelain", "--", "src", "conf", ":(glob)*.py")
    return {"commit": git(source, "rev-parse", "--verify", "HEAD"), "dirty": bool(changes)}


def git(folder: Path, *arguments: str) -> str | None:
    answer = run("git", "-C", str(folder), *arguments)
    return answer.stdout.strip() if answer is not None and answer.returncode == 0 else None


def run(*command: str) -> subprocess.CompletedProcess[str] | None:
    """What the program said; None if it is not installed."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
