"""In which number format a network computes while it is timed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("float32", "tf32", "bfloat16", "float16")
REDUCED = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@contextmanager
def computing_in(precision: str, device: torch.device) -> Iterator[None]:
    """`float32` in all its digits, `tf32` (float32 rounded to ten bits on tensor cores), or mixed precision.

    Left alone, torch rounds convolutions on CUDA to TF32 and matrix products not. In mixed precision weights are
    converted once, on their first use inside.
    """
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.allow_tf32, matmul.allow_tf32
    cudnn.allow_tf32 = matmul.allow_tf32 = precision == "tf32"
    try:
        with autocast(device, precision):
            yield
    finally:
        cudnn.allow_tf32, matmul.allow_tf32 = before


def autocast(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, REDUCED.get(precision), enabled=precision in REDUCED)
