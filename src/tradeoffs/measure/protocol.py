"""The one way a model's cost is measured. docs/timing.md says it in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.errors import UserError
from tradeoffs.measure.cost import count_parameters, multiply_adds, peak_memory
from tradeoffs.measure.fuse import fuse_for_inference, is_batch_norm
from tradeoffs.measure.timer import time_until_steady

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}

CLOCKS = {
    "network_ms": "normalization and network: uint8 images on the device to raw outputs on the device",
    "postprocessing_ms": "decoding and suppression: raw outputs to detections, both on the device",
    "total_ms": "both in one call; decoding files, resizing and the copy to the device are outside",
}


def measure_model(
    model: nn.Module,
    images: UInt8[Tensor, "B 3 H W"],
    *,
    trained: bool,
    device: torch.device | str = "cpu",
    precision: str = "float32",
    batch_sizes: Sequence[int] = (1, 8),
    repeats: int = 30,
    warmup: int = 5,
    fuse: bool = True,
    channels_last: bool = True,
) -> dict[str, Any]:
    """The record's `cost` of a model with `forward`, `postprocess(raw, (H, W))` and `predict`.

    `images` are repeated to fill a batch: real ones, since what is in them decides how much there is to suppress.
    `trained` says whether the weights are worth anything; untrained ones can flood the suppression. If the model has
    `num_candidates(raw)`, boxes per image that reach the suppression, their mean is recorded.
    The model itself is not changed. Times are milliseconds per batch, memory is bytes.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision={precision} is unknown; choose: {', '.join(PRECISIONS)}")
    images = images.to(device)
    network = prepare(model, images[:1], fuse, channels_last)
    parameters = count_parameters(model)
    batches = {}
    for size in batch_sizes:
        rows = torch.arange(size, device=images.device) % len(images)
        with torch.inference_mode(), autocast(images.device, precision):
            batches[str(size)] = measure_batch(network, images[rows], repeats, warmup)
    return {
        "parameters": parameters.total,
        "trainable_parameters": parameters.trainable,
        "weight_bytes": parameters.bytes,
        "multiply_adds": multiply_adds(network, images[:1]),
        "image_size": list(images.shape[-2:]),
        "images_per_second": batches[str(max(batch_sizes))]["images_per_second"],
        "trained": trained,
        "batches": batches,
        "protocol": {
            "clocks": CLOCKS,
            "statistic": "median",
            "turns": "network, post-processing and total in turns",
            "warmup": warmup,
            "repeats": repeats,
            "threads": torch.get_num_threads(),
            "precision": precision,
            "memory_format": "channels_last" if channels_last else "contiguous",
            "batch_norm_folded": count_norms(network) < count_norms(model),
            "memory": "torch's allocator" if images.is_cuda else "resident set of the process",
        },
    }


def prepare(model: nn.Module, images: UInt8[Tensor, "B 3 H W"], fuse: bool, channels_last: bool) -> nn.Module:
    """A copy of the model as it is measured: in evaluation mode, on the device of `images`."""
    network = copy.deepcopy(model).to(images.device).eval()
    if fuse:
        return fuse_for_inference(network, images, channels_last)
    return network.to(memory_format=torch.channels_last) if channels_last else network


def count_norms(model: nn.Module) -> int:
    return sum(map(is_batch_norm, model.modules()))


def autocast(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, PRECISIONS[precision], enabled=precision != "float32")


def measure_batch(network: nn.Module, images: UInt8[Tensor, "B 3 H W"], repeats: int, warmup: int) -> dict[str, Any]:
    raw, image_size = network(images), (images.shape[-2], images.shape[-1])
    functions: dict[str, Callable[[], object]] = {
        "network_ms": lambda: network(images),
        "postprocessing_ms": lambda: network.postprocess(raw, image_size),
        "total_ms": lambda: network.predict(images),
    }
    timings, attempts = time_until_steady(functions, repeats, warmup, images.device)
    return {
        **{name: timing.summary() for name, timing in timings.items()},
        "images_per_second": 1000 * len(images) / timings["total_ms"].median,
        "peak_memory_bytes": peak_memory(functions["total_ms"], images.device),
        "candidates_per_image": candidates_per_image(network, raw),
        "disturbed": any(timing.disturbed for timing in timings.values()),
        "attempts": attempts,
    }


def candidates_per_image(network: nn.Module, raw: object) -> float | None:
    if not hasattr(network, "num_candidates"):
        return None
    return float(network.num_candidates(raw).double().mean())
