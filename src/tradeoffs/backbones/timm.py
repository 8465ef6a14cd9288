"""Any network that timm offers as features (`features_only=True`), cut into stages."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import timm
from jaxtyping import Float, UInt8
from timm.models import FeatureListNet
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.weights import load_weights
from tradeoffs.errors import MismatchError, UserError


def timm_backbone(
    name: str,
    weights: str = "none",
    output_stride: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    frozen_stages: int = 0,
    freeze_norm: bool = False,
    norm_eps: float | None = None,
    **options,
) -> Backbone:
    """The timm network `name` as a backbone.

    `weights`: `none` (random), `pretrained` (timm's, downloaded on first use) or the path of a file with timm's
    tensor names. `output_stride` 8 or 16 keeps the last stages at that stride by dilation, where timm offers it.
    `mean` and `std` are those the weights were trained with, timm's by default; `norm_eps`, which batch norms
    add to variances, too. `options` go to timm.
    """
    if output_stride:
        options["output_stride"] = output_stride
    network = _create(name, pretrained=weights == "pretrained", **options)
    if weights not in ("none", "pretrained"):
        load_weights(getattr(network, "model", network), Path(weights))  # timm wraps networks it cannot cut
    for norm in network.modules() if norm_eps is not None else ():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = norm_eps
    config = timm.get_pretrained_cfg(name)
    common = {
        "channels": network.feature_info.channels(),
        "strides": network.feature_info.reduction(),
        "mean": mean or config.mean,
        "std": std or config.std,
        "frozen_stages": frozen_stages,
        "freeze_norm": freeze_norm,
    }
    stages = cut(network)
    if stages:
        return Backbone(stages, **common)
    if frozen_stages:
        raise MismatchError(f"backbone.name={name} cannot be cut into stages; choose backbone.frozen_stages=0")
    return WholeBackbone([network], **common)


def cut(network: nn.Module) -> list[nn.Module]:
    """The stages of a `features_only` network, each ending where timm takes a feature map; empty if it has no cuts."""
    if getattr(network, "output_fmt", None) not in (None, "NCHW"):
        return []
    if isinstance(network, FeatureListNet):
        layers, ends = list(network.items()), set(network.return_layers)
    elif {"conv_stem", "bn1", "blocks"} <= set(dict(network.named_children())):
        layers = [(key, getattr(network, key)) for key in ("conv_stem", "bn1", "act1") if hasattr(network, key)]
        layers += [(f"blocks.{key}", block) for key, block in network.blocks.named_children()]
        ends = set(network.feature_info.module_name())
    else:
        return []
    stages, stage = [], []
    for key, layer in layers:
        stage.append(layer)
        if key in ends:
            stages.append(nn.Sequential(*stage))
            stage = []
    return stages


class WholeBackbone(Backbone):
    """A network that gives its maps all at once and cannot be split (transformers, nets with hooks)."""

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _ _ _"]]:
        network = self.stages[0]
        features = network(self.normalize(images))
        return [f.permute(0, 3, 1, 2) for f in features] if getattr(network, "output_fmt", "") == "NHWC" else features

    def trunk(self, stride: int) -> Backbone:
        self.stage_of(stride)  # raises where there is none
        return self

    def split(self, stride: int) -> tuple[Backbone, nn.Sequential]:
        raise MismatchError("this backbone cannot be split at a stride; choose one that is a sequence of stages")


def _create(name: str, **options) -> nn.Module:
    try:
        return timm.create_model(name, features_only=True, **options)
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, AssertionError) as error:
        if name.split(".")[0] in timm.list_models():
            raise MismatchError(f"backbone.name={name}: timm cannot give its features so ({error})") from error
        similar = get_close_matches(name, timm.list_models(), n=5)
        raise UserError(f"backbone.name={name}: timm has no such model; similar: {', '.join(similar)}") from error
    except OSError as error:  # the hub cannot be reached
        raise UserError(
            f"backbone.weights=pretrained: the weights of {name} cannot be downloaded; "
            "give backbone.weights=PATH of a safetensors file, or none"
        ) from error
