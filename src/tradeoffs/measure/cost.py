"""What a network costs apart from time: parameters, multiply-adds, memory."""

from __future__ import annotations

import ctypes
import gc
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Parameters(NamedTuple):
    total: int
    trainable: int
    bytes: int  # of the weights as they are stored


def count_parameters(model: nn.Module) -> Parameters:
    """Learnable numbers; one that is shared between layers counts once, running statistics do not count."""
    weights = list(model.parameters())
    return Parameters(
        total=sum(weight.numel() for weight in weights),
        trainable=sum(weight.numel() for weight in weights if weight.requires_grad),
        bytes=sum(weight.numel() * weight.element_size() for weight in weights),
    )


def multiply_adds(model: nn.Module, *inputs: object) -> int:
    """Multiplications with an addition in one forward pass of a batch of images (and regions), in evaluation mode.

    torch counts convolutions, matrix products and attention, with two operations per multiply-add; half of that is
    what papers call multiply-adds (and often FLOPs). Element-wise work, normalization and pooling do not count.
    """
    with evaluating(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops() // 2


def peak_memory(function: Callable[[], object], device: torch.device | str, warm: bool = False) -> int | None:
    """Bytes that `function` needs at its worst moment beyond what was held before it: activations and work space.

    On CUDA: what torch's allocator handed out. On the CPU: the resident memory of the process, so other threads
    count too, and small networks drown in page granularity; None where the system does not tell (not Linux).
    The function runs once before, unless it is `warm`, because a first call also loads kernels and plans.
    """
    if not warm:
        function()
    if torch.device(device).type == "cuda":
        return cuda_peak(function, torch.device(device))
    return resident_peak(function)


def cuda_peak(function: Callable[[], object], device: torch.device) -> int:
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    function()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def resident_peak(function: Callable[[], object]) -> int | None:
    try:
        give_back_free_memory()
        Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark to what is resident now (proc(5))
    except (OSError, TypeError):  # not Linux: no such file, and on Windows no library without a name
        return None
    before = resident_bytes("VmRSS")
    function()
    return max(resident_bytes("VmHWM") - before, 0)


def resident_bytes(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)[1])


def give_back_free_memory() -> None:
    """Without this a process that once used much memory would need none: it would reuse pages it still holds."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode, and afterwards every module back in its own: a frozen part stays frozen."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield model
    finally:
        for module, training in modes.items():
            module.training = training
