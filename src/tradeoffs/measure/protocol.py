"""The one way a model's cost is measured. docs/timing.md says it in words."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor, nn

from tradeoffs.errors import UserError
from tradeoffs.measure.activations import activation_bytes
from tradeoffs.measure.arithmetic import PRECISIONS, autocast
from tradeoffs.measure.contender import Contender
from tradeoffs.measure.cost import count_parameters, multiply_adds
from tradeoffs.measure.fuse import fuse_for_inference, is_batch_norm
from tradeoffs.measure.load import OtherLoad
from tradeoffs.measure.turns import Timed, time_until_steady
from tradeoffs.model_facts import WHOLE_IMAGE
from tradeoffs.structures import Regions

CLOCKS = {
    "network_ms": "normalization and network: uint8 images on the device to raw outputs on the device",
    "postprocessing_ms": "raw outputs to predictions, both on the device; of detectors decoding and suppression",
    "total_ms": "both, and proposals_ms if there are such; decoding files, resizing and copying are outside",
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
    propose: Callable[[int], Callable[[], Regions]] | None = None,
) -> dict[str, Any]:
    """The record's `cost` of one model with `forward`, `postprocess(raw, (H, W))` and `predict`, timed alone.

    `images` are repeated to fill a batch: real ones, since what is in them decides how much there is to suppress.
    `trained` says whether the weights are worth anything; untrained ones can flood the suppression. If the model has
    `num_candidates(raw)`, boxes per image that reach the suppression, their mean is recorded. `float32` computes as
    torch is set, which on CUDA rounds convolutions to TF32 unless told otherwise.
    Of a model that needs regions `propose(size)` is a function that computes those of a batch of this size.
    The model itself is not changed. Times are milliseconds per batch, memory is bytes.
    """
    if precision not in PRECISIONS:
        raise UserError(f"precision={precision} is unknown; choose: {', '.join(PRECISIONS)}")
    images = images.to(device)
    first = (images[:1], propose(1)()) if propose else (images[:1],)
    network = prepare(model, *first, fuse=fuse, channels_last=channels_last)
    batches = {}
    with OtherLoad() as others:
        for size in batch_sizes:
            with autocast(images.device, precision):
                contender = Contender(network, fill(images, size), propose=propose and propose(size))
                contender.warm_up(warmup)
                (timed,) = time_until_steady({"": contender.turn}, {"": repeats}).values()
            batches[size] = batch_cost(contender, timed)
    return {
        **network_cost(model, network, *first),
        **batch_costs(batches, trained),
        "other_load": others.share,
        "protocol": {
            **describe_protocol(model, network, precision, images.device, channels_last),
            "turns": "the model alone",
            "warmup": warmup,
            "repeats": repeats,
        },
    }


def prepare(
    model: nn.Module, images: UInt8[Tensor, "B 3 H W"], *rest: Regions, fuse: bool, channels_last: bool
) -> nn.Module:
    """A copy of the model as it is measured: in evaluation mode, on the device of `images`."""
    network = copy.deepcopy(model).to(images.device).eval()
    if fuse:
        with autocast(images.device, "float32"):
            return fuse_for_inference(network, images, *rest, channels_last=channels_last)
    return network.to(memory_format=torch.channels_last) if channels_last else network


def fill(images: Shaped[Tensor, "N ..."], size: int) -> Shaped[Tensor, "B ..."]:
    """A batch of `size` images, or what there is of each, some of them several times if there are fewer."""
    return images[torch.arange(size, device=images.device) % len(images)]


def network_cost(
    model: nn.Module, network: nn.Module, image: UInt8[Tensor, "1 3 H W"], *rest: Regions
) -> dict[str, Any]:
    """What needs no clock: of `model` as it is trained, and of `network`, the same `prepare`d, for one image."""
    parameters = count_parameters(model)
    with autocast(image.device, "float32"):
        return {
            "parameters": parameters.total,
            "trainable_parameters": parameters.trainable,
            "weight_bytes": parameters.bytes,
            "multiply_adds": multiply_adds(network, image, *rest),
            "activation_bytes": activation_bytes(network, image, *rest),
            "image_size": list(image.shape[-2:]),
        }


def batch_cost(contender: Contender, timed: Timed) -> dict[str, Any]:
    """What one batch takes."""
    timings = timed.timings
    return {
        **{name: timing.summary() for name, timing in timings.items()},
        "images_per_second": 1000 * len(contender.images) / timings["total_ms"].median,
        "peak_memory_bytes": contender.peak_bytes,
        "candidates_per_image": contender.candidates,
        **({"regions_per_image": contender.regions} if contender.regions is not None else {}),
        "disturbed": timed.disturbed,
        "attempts": timed.attempts,
        "turns": len(timings["total_ms"].samples),
    }


def batch_costs(batches: dict[int, dict[str, Any]], trained: bool) -> dict[str, Any]:
    largest = batches.get(max(batches, default=0), {})
    return {
        "images_per_second": largest.get("images_per_second"),
        "trained": trained,
        "batches": {str(size): cost for size, cost in batches.items()},
    }


def describe_protocol(
    model: nn.Module, network: nn.Module, precision: str, device: torch.device, channels_last: bool
) -> dict[str, Any]:
    """How it was measured: what every record of this project says."""
    return {
        "clocks": CLOCKS,
        "each_image": getattr(model, "each_image", WHOLE_IMAGE),
        "statistic": "median",
        "threads": torch.get_num_threads(),
        "precision": precision,
        "memory_format": "channels_last" if channels_last else "contiguous",
        "batch_norm_folded": count_norms(network) < count_norms(model),
        "memory": "torch's allocator" if device.type == "cuda" else "resident set of the process",
    }


def count_norms(model: nn.Module) -> int:
    return sum(map(is_batch_norm, model.modules()))
