"""How much of what a network computes must be in memory at once, by the sequence of its operations alone."""

from __future__ import annotations

import weakref
from collections.abc import Iterable

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from tradeoffs.measure.cost import evaluating


def activation_bytes(model: nn.Module, images: UInt8[Tensor, "B 3 H W"], *rest: object) -> int:
    """The most bytes that the results of a forward pass occupy at one moment, in evaluation mode without gradients.

    Every tensor that an operation makes counts from then on until nothing refers to it: feature maps, what is
    concatenated, anchors, the raw outputs. Weights and the images do not count, nor does the work space within an
    operation. A view shares its memory and counts once; what is computed in place takes no more.
    """
    held = [*model.parameters(), *model.buffers(), images]
    with evaluating(model), torch.no_grad(), StorageWatch(held) as watch:
        model(images, *rest)
    return watch.peak


class StorageWatch(TorchDispatchMode):
    """Follows the memory behind tensors from the operation that makes it until it is given back."""

    def __init__(self, held: Iterable[Tensor]):
        super().__init__()
        self.now = self.peak = 0
        self._known = WeakIdKeyDictionary()
        for tensor in held:
            self._known[tensor.untyped_storage()] = True

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor) and tensor.untyped_storage() not in self._known:
                self._follow(tensor.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        self._known[storage] = True
        self._add(storage.nbytes())
        weakref.finalize(storage, self._add, -storage.nbytes())

    def _add(self, count: int) -> None:
        self.now += count
        self.peak = max(self.peak, self.now)
