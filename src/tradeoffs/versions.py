"""What is installed, for `--version`. Nothing is imported for it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("torch", "torchvision", "pytorch-lightning", "timm", "hydra-core")


def versions() -> str:
    """Such as `tradeoffs 0.1.0 (Python 3.12.3, torch 2.14.1, ...)`."""
    others = ", ".join(f"{name} {installed(name)}" for name in PACKAGES)
    return f"tradeoffs {installed('tradeoffs')} (Python {platform.python_version()}, {others})"


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
