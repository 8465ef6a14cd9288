"""A model and a batch of images, ready to be timed."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.measure.cost import peak_memory
from tradeoffs.measure.timer import split_milliseconds

SHORT = 0.5  # seconds; a shorter call notices whether caches still hold what it needs


class Contender:
    """What takes turns with others.

    `network` is as it comes from `protocol.prepare`. With `compile` its forward pass is compiled by torch, with
    `cuda_graphs` it is recorded once and replayed; either way decoding and suppression run as they are. Call
    `warm_up` first.
    """

    def __init__(
        self, network: nn.Module, images: UInt8[Tensor, "B 3 H W"], compile: bool = False, cuda_graphs: bool = False
    ):
        self.network, self.images = network, images
        self.image_size = (images.shape[-2], images.shape[-1])
        self.forward: Callable[[Tensor], object] = compiled(network) if compile else network
        self.cuda_graphs = cuda_graphs
        self.peak_bytes: int | None = None
        self.candidates: float | None = None
        self.seconds = 0.0  # of the last call

    @property
    def seconds_per_turn(self) -> float:
        """To be expected of `turn_among_others`."""
        return self.seconds * (2 if self.seconds < SHORT else 1)

    @torch.inference_mode()
    def warm_up(self, calls: int = 1) -> None:
        """First calls load kernels and choose algorithms. Finds `peak_bytes` and `candidates` in two of them.

        `calls` more are made unless they are long: those two are warm-up enough then.
        """
        self.candidates = mean_candidates(self.network, self.forward(self.images))
        self.peak_bytes = peak_memory(self.predict, self.images.device, warm=True)
        if self.cuda_graphs:
            self.forward = recorded(self.forward, self.images)
        for _ in range(calls if self.seconds < SHORT else 0):
            self.predict()

    @torch.inference_mode()
    def predict(self) -> object:
        began = time.perf_counter()
        detections = self.network.postprocess(self.forward(self.images), self.image_size)
        self.seconds = time.perf_counter() - began
        return detections

    @torch.inference_mode()
    def turn(self) -> dict[str, float]:
        """Milliseconds of the record's three clocks, all of one call."""
        network, postprocessing = split_milliseconds(
            lambda: self.forward(self.images),
            lambda raw: self.network.postprocess(raw, self.image_size),
            self.images.device,
        )
        return {"network_ms": network, "postprocessing_ms": postprocessing, "total_ms": network + postprocessing}

    def turn_among_others(self) -> dict[str, float]:
        """`turn`, after a call that does not count: others have filled the caches with their own weights."""
        if self.seconds < SHORT:
            self.predict()
        return self.turn()


def compiled(network: nn.Module) -> Callable[[Tensor], object]:
    # Models of one class share their code, and torch keeps few compiled versions of one piece of code unless told so.
    return torch.compile(network, fullgraph=True, dynamic=False, isolate_recompiles=True)


def recorded(forward: Callable[[Tensor], object], images: UInt8[Tensor, "B 3 H W"]) -> Callable[[Tensor], object]:
    """The forward pass as a CUDA graph. Images are copied to where it reads them, and the outputs are its own."""
    static = images.clone()
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):  # libraries must have chosen their algorithms before the recording
        for _ in range(3):
            forward(static)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        raw = forward(static)

    def replay(images: Tensor) -> object:
        static.copy_(images)
        graph.replay()
        return raw

    return replay


def mean_candidates(network: nn.Module, raw: object) -> float | None:
    """Boxes per image that reach the suppression, if the model tells."""
    if not hasattr(network, "num_candidates"):
        return None
    return float(network.num_candidates(raw).cpu().double().mean())
