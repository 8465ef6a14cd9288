"""Folding batch norm into the convolution before it: the same outputs with fewer passes over memory.

In evaluation mode batch norm is one multiplication and one addition per channel, which the convolution's weights and
bias can absorb. Which convolution feeds which batch norm is not written in a module tree, so it is watched.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import torch
from timm.layers import FrozenBatchNormAct2d
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torchvision.ops import FrozenBatchNorm2d

log = logging.getLogger(__name__)

TOLERANCE = 5e-3  # relative; float32 rounding gives 1e-6, up to 1e-3 in ill-conditioned networks, a wrong fold 0.1


def fuse_for_inference(model: nn.Module, *inputs: object, channels_last: bool = False) -> nn.Module:
    """A copy of the model in evaluation mode whose batch norms are folded, with equal outputs.

    A batch norm stays where its input is not the output of one convolution that nothing else reads. `inputs`,
    images and what else the model is called with, lead the one forward pass that is watched; the model may return any
    nesting of tensors. `channels_last` also changes the memory format of the weights.

    If the outputs differ afterwards, nothing is folded, and a warning says so.
    """
    fused = copy.deepcopy(model).eval()
    with torch.no_grad(), exact_convolutions(inputs[0].device):
        before, pairs = foldable_pairs(fused, *inputs)
        for convolution, norm in pairs:
            fold(convolution, norm)
            replace_module(fused, norm, rest_of(norm))
        if channels_last:
            fused = fused.to(memory_format=torch.channels_last)
        error = relative_difference(before, fused(*inputs))
    if not error <= TOLERANCE:  # also when it is not a number
        log.warning("folding batch norm would change the outputs by %.1e, so it is left out", error)
        plain = copy.deepcopy(model).eval()
        return plain.to(memory_format=torch.channels_last) if channels_last else plain
    return fused


class Convolved(NamedTuple):
    """One convolution that ran: its operands, and its output, held so that no other tensor gets the same id."""

    output: Tensor
    weight: Tensor
    bias: Tensor | None


class ConvolutionTrace(TorchDispatchMode):
    """Watches a forward pass: every convolution, and how often every tensor is read."""

    def __init__(self):
        super().__init__()
        self.reads: Counter[int] = Counter()  # by id
        self.convolved: dict[int, Convolved] = {}  # by id of the output

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.read((args, kwargs))
        if func is torch.ops.aten.convolution.default:
            self.reads[id(result)] = 0  # the id may have been that of a tensor that is gone
            self.convolved[id(result)] = Convolved(result, weight=args[1], bias=args[2])
        return result

    def read(self, values: object) -> None:
        self.reads.update(id(value) for value in tree_leaves(values) if isinstance(value, Tensor))


def foldable_pairs(model: nn.Module, *inputs: object) -> tuple[object, list[tuple[_ConvNd, nn.Module]]]:
    """The model's output; the convolutions and the batch norms that alone read what they put out, each running once."""
    output, trace, ran = watch(model, *inputs)
    owners = {id(module.weight): module for module in model.modules() if isinstance(module, _ConvNd)}
    runs = Counter(norm for norm, _ in ran)
    pairs = []
    for norm, source in ran:
        if source is None or not runs[norm] == trace.reads[id(source.output)] == trace.reads[id(source.weight)] == 1:
            continue
        convolution = owners.get(id(source.weight))  # none if the weight was computed (weight standardization)
        if convolution is not None and convolution.bias is source.bias and can_fold(convolution, norm):
            pairs.append((convolution, norm))
    return output, pairs


def watch(
    model: nn.Module, *inputs: object
) -> tuple[object, ConvolutionTrace, list[tuple[nn.Module, Convolved | None]]]:
    """One forward pass: its output, the trace, each run of a batch norm with the convolution whose output it got."""
    trace, ran = ConvolutionTrace(), []

    def remember(norm: nn.Module, arguments: tuple) -> None:
        # Looked up now: later the id of an input that is gone may belong to another convolution's output.
        ran.append((norm, trace.convolved.get(id(arguments[0]))))

    with ExitStack() as stack:
        for norm in filter(is_batch_norm, model.modules()):
            stack.callback(norm.register_forward_pre_hook(remember).remove)
        stack.enter_context(trace)
        output = model(*inputs)
        trace.read(output)  # a map that is returned is read, too
    return output, trace, ran


def is_batch_norm(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm | FrozenBatchNorm2d | FrozenBatchNormAct2d)


def can_fold(convolution: _ConvNd, norm: nn.Module) -> bool:
    # Without running statistics the norm depends on the batch; torch folds no grouped transposed convolution.
    return norm.running_var is not None and not (convolution.transposed and convolution.groups > 1)


def fold(convolution: _ConvNd, norm: nn.Module) -> None:
    """Changes the convolution's weight and bias so that it does the work of both."""
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
        transpose=convolution.transposed,
    )


def rest_of(norm: nn.Module) -> nn.Module:
    """What remains of a batch norm: timm's hold a DropBlock and an activation, others nothing."""
    parts = [getattr(norm, name, nn.Identity()) for name in ("drop", "act")]
    parts = [part for part in parts if not isinstance(part, nn.Identity)]
    return parts[0] if len(parts) == 1 else nn.Sequential(*parts)


def replace_module(model: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if child is old:
                setattr(parent, name, new)


def relative_difference(before: object, after: object) -> float:
    """The largest ||after - before|| / ||before|| over all tensors, their values sorted.

    Sorted, because proposals are ranked, and where two score nearly alike rounding may swap them with all that is said
    of them.
    """
    pairs = zip(tree_leaves(before), tree_leaves(after), strict=True)
    pairs = [(sorted_values(a), sorted_values(b)) for a, b in pairs if isinstance(a, Tensor)]
    errors = [(b - a).norm() / a.norm().clamp(min=1e-12) for a, b in pairs]
    return float(torch.stack(errors).max())


def sorted_values(tensor: Tensor) -> Tensor:
    return tensor.flatten().cpu().double().sort().values  # not every GPU knows float64


@contextmanager
def exact_convolutions(device: torch.device):
    """Full float32 on CUDA, whose default (TF32) rounds to ten bits and would hide a difference in its noise."""
    if device.type != "cuda":
        yield
        return
    allowed, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = allowed
