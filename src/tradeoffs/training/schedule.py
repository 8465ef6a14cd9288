"""Learning rates over a training, and which parameters decay.

Every schedule multiplies the optimizer's learning rates by a factor of the step. Lengths are fractions of the training,
so that one config serves a run of three hundred steps and one of three hundred thousand. All of them take
`(optimizer, total_steps, ...)` and return a scheduler that is stepped once per optimizer step.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from tradeoffs.backbones.backbone import Backbone, LastStages
from tradeoffs.errors import UserError


def constant(optimizer: Optimizer, total_steps: int, warmup: float = 0.0) -> LambdaLR:
    """The full learning rate after a linear warm-up over the fraction `warmup` of the training."""
    _check_fraction("warmup", warmup)
    return LambdaLR(optimizer, lambda step: _warmup_factor(step, warmup * total_steps))


def warmup_cosine(optimizer: Optimizer, total_steps: int, warmup: float = 0.05, final: float = 0.0) -> LambdaLR:
    """Linear warm-up, then half a cosine from the full learning rate down to `final` times it.

    Loshchilov and Hutter 2017 (SGDR), equation 5, one period; warm-up: Goyal et al. 2017, section 2.2.
    """
    _check_fraction("warmup", warmup)
    warmup_steps = warmup * total_steps

    def factor(step: int) -> float:
        progress = (step - warmup_steps) / max(total_steps - warmup_steps, 1)
        cosine = 0.5 * (1 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
        return _warmup_factor(step, warmup_steps) * (final + (1 - final) * cosine)

    return LambdaLR(optimizer, factor)


def warmup_step(
    optimizer: Optimizer,
    total_steps: int,
    warmup: float = 0.05,
    milestones: Sequence[float] = (0.67, 0.89),
    gamma: float = 0.1,
) -> LambdaLR:
    """Linear warm-up, then `gamma` times the learning rate from each milestone (a fraction of the training) on."""
    _check_fraction("warmup", warmup)
    for milestone in milestones:
        _check_fraction("milestones", milestone)
    steps = sorted(round(milestone * total_steps) for milestone in milestones)
    return LambdaLR(
        optimizer, lambda step: _warmup_factor(step, warmup * total_steps) * gamma ** bisect_right(steps, step)
    )


def parameter_groups(
    model: nn.Module, lr: float, weight_decay: float, head_lr: float = 1.0, layer_decay: float = 1.0
) -> list[dict]:
    """The trainable parameters in groups for an optimizer, by whether they decay and belong to `model.heads`.

    Biases, the scales and shifts of norms and other scalars do not decay: pulling them to zero regularizes nothing
    (Goyal et al. 2017, section 5.3). They are just the parameters of fewer than two dimensions.

    Heads learn at `head_lr` times `lr`. No norm follows them and thousands of inputs of one sign enter, so a rate that
    suits normed layers makes their outputs jump at every step.

    Each stage of the backbone learns at `layer_decay` times the rate of the one above: what trained weights see first
    suits any data (Clark et al. 2020, ELECTRA; Bao et al. 2022, BEiT).
    """
    heads = {id(parameter) for parameter in model.heads.parameters()} if hasattr(model, "heads") else set()
    above = stages_above(model) if layer_decay != 1 else {}
    groups: dict[tuple[bool, bool, int], list[nn.Parameter]] = {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            key = id(parameter) in heads, parameter.ndim < 2, above.get(id(parameter), 0)
            groups.setdefault(key, []).append(parameter)
    return [
        {
            "params": parameters,
            "lr": (lr * head_lr if in_head else lr) * layer_decay**depth,
            "weight_decay": 0.0 if is_small else weight_decay,
        }
        for (in_head, is_small, depth), parameters in sorted(groups.items())
    ]


def stages_above(model: nn.Module) -> dict[int, int]:
    """How many stages of its backbone lie above that of a parameter, by the parameter's id.

    The last stages may be part of a detector's second stage. What stands in no stage is left out.
    """
    parts = [module for module in model.modules() if isinstance(module, Backbone | LastStages)]
    stages = [stage for part in parts for stage in part.stage_parameters()]
    return {id(parameter): len(stages) - 1 - i for i, stage in enumerate(stages) for parameter in stage}


def _warmup_factor(step: int, warmup_steps: float) -> float:
    """Rises linearly and is above zero from the first step on, which would be wasted otherwise."""
    return min((step + 1) / (warmup_steps + 1), 1.0)


def _check_fraction(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise UserError(f"{name}={value} is a fraction of the training; it would be right between 0 and 1")
