"""A model and a batch of images, ready to be timed."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from tradeoffs.measure.cost import peak_memory
from tradeoffs.measure.timer import split_milliseconds, synchronize
from tradeoffs.structures import Regions

SHORT = 0.5  # seconds; a shorter call notices whether caches still hold what it needs
LONG = 5.0  # seconds; what the first call of a process does besides is nothing against that


class Contender:
    """What takes turns with others.

    `network` is as it comes from `protocol.prepare`. With `compile` its forward pass is compiled by torch, with
    `cuda_graphs` it is recorded once and replayed; either way decoding and suppression run as they are. Where the
    network needs regions, `propose` computes those of the images, and does so anew in each turn. Call `warm_up` first.
    """

    def __init__(
        self,
        network: nn.Module,
        images: UInt8[Tensor, "B 3 H W"],
        compile: bool = False,
        cuda_graphs: bool = False,
        propose: Callable[[], Regions] | None = None,
    ):
        self.network, self.images, self.propose = network, images, propose
        self.image_size = (images.shape[-2], images.shape[-1])
        self.forward: Callable[..., object] = compiled(network, *self.inputs()) if compile else network
        # In inference mode the compiler freezes nothing.
        self.without_gradients = torch.no_grad if compile else torch.inference_mode
        self.cuda_graphs = cuda_graphs
        self.peak_bytes: int | None = None
        self.candidates: float | None = None
        self.regions: float | None = None  # of an image, on average
        self.seconds = 0.0  # of the last call

    @property
    def seconds_per_turn(self) -> float:
        """To be expected of `turn_among_others`."""
        return self.seconds * (2 if self.seconds < SHORT else 1)

    def warm_up(self, calls: int = 1) -> None:
        """First calls load kernels and choose algorithms. Finds `candidates` and `peak_bytes`.

        The peak is that of a second call, and `calls` more are made, unless calls are long: then one is enough. First
        calls on CUDA, which tries algorithms, and of what is compiled in them are another matter.
        """
        self.peak_bytes = peak_memory(self.first_call, self.images.device, warm=True)
        ordinary = self.images.device.type == "cpu" and self.forward is self.network
        if self.seconds < LONG or not ordinary:
            self.peak_bytes = peak_memory(self.predict, self.images.device, warm=True)
        if self.cuda_graphs:
            with self.without_gradients():
                self.forward = recorded(self.forward, self.images)
        for _ in range(calls if self.seconds < SHORT else 0):
            self.predict()

    def first_call(self) -> None:
        """`predict`, with a look at what lies between."""

        def count(raw: object) -> None:
            self.candidates = mean_candidates(self.network, raw)

        self.predict(count)

    def predict(self, look_at: Callable[[object], None] = lambda raw: None) -> object:
        began = time.perf_counter()
        inputs = self.inputs()
        with self.without_gradients():
            raw = self.forward(*inputs)
            look_at(raw)
            detections = self.network.postprocess(raw, self.image_size)
        self.seconds = time.perf_counter() - began
        return detections

    def turn(self) -> dict[str, float]:
        """Milliseconds of the record's clocks, all of one call."""
        began = time.perf_counter()
        inputs = self.inputs()
        synchronize(self.images.device)
        proposals = {"proposals_ms": 1000 * (time.perf_counter() - began)} if self.propose else {}
        with self.without_gradients():
            network, postprocessing = split_milliseconds(
                lambda: self.forward(*inputs),
                lambda raw: self.network.postprocess(raw, self.image_size),
                self.images.device,
            )
        clocks = {**proposals, "network_ms": network, "postprocessing_ms": postprocessing}
        return {**clocks, "total_ms": sum(clocks.values())}

    def inputs(self) -> tuple[Tensor] | tuple[Tensor, Regions]:
        """What the network is called with."""
        if self.propose is None:
            return (self.images,)
        regions = self.propose()
        if self.regions is None:
            self.regions = float(regions.valid.sum(dim=1).double().mean())
        return self.images, regions

    def turn_among_others(self) -> dict[str, float]:
        """`turn`, after a call that does not count: others have filled the caches with their own weights."""
        if self.seconds < SHORT:
            self.predict()
        return self.turn()


def compiled(network: nn.Module, images: UInt8[Tensor, "B 3 H W"], *rest: Regions) -> Callable[..., object]:
    """The forward pass for images (and regions) of this shape, compiled at once."""
    from torch._inductor import config as inductor  # takes a second

    # Models of one class share their code, and torch keeps few compiled versions of one piece of code unless told so.
    forward = torch.compile(network, fullgraph=True, dynamic=False, isolate_recompiles=True)
    # Frozen weights are laid out once as the CPU's convolutions want them. The tracer reads this setting, too, so
    # giving it to `torch.compile` as an option has no effect.
    with torch.no_grad(), inductor.patch(freezing=images.device.type == "cpu"):
        forward(images, *rest)
    return forward


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
