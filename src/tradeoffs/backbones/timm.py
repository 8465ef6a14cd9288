"""Any network that timm offers: its features, cut into stages, or the whole of it with its own classifier."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

import timm
import torch
from jaxtyping import Float, UInt8
from timm.models import FeatureListNet, group_parameters
from torch import Tensor, nn

from tradeoffs.backbones.backbone import Backbone
from tradeoffs.backbones.weights import fill, read_weights
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
    drop_path: float = 0.0,
    whole: bool = False,
    **options,
) -> Backbone:
    """The timm network `name` as a backbone, or `whole` as a `WholeNetwork`.

    `weights`: `none` (random), `pretrained` (timm's, downloaded on first use) or the path of a file with timm's
    tensor names. `output_stride` 8 or 16 keeps the last stages at that stride by dilation, where timm offers it.
    `mean` and `std` are those the weights were trained with, timm's by default; `norm_eps`, which batch norms
    add to variances, too. `drop_path` is how often the last block is left out in training, and those before it the less
    the lower they are (stochastic depth: Huang, Sun et al. 2016, section 3). `options` go to timm.
    """
    options |= {"output_stride": output_stride or None, "drop_path_rate": drop_path or None}  # timm leaves None out
    network = _create(name, pretrained=weights == "pretrained", features_only=None if whole else True, **options)
    if weights not in ("none", "pretrained"):
        _load(network, weights, whole)
    for norm in network.modules() if norm_eps is not None else ():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eps = norm_eps
    config, stages = timm.get_pretrained_cfg(name), [] if whole else cut(network)
    if frozen_stages and not stages:
        raise MismatchError(f"backbone.name={name} cannot be cut into stages; choose backbone.frozen_stages=0")
    common = {"mean": mean or config.mean, "std": std or config.std, "freeze_norm": freeze_norm}
    if whole:
        side = (config.test_input_size or config.input_size)[-1] if weights == "pretrained" else None
        return WholeNetwork(network, trained=weights != "none", made_for=side, **common)
    common |= {"channels": network.feature_info.channels(), "strides": network.feature_info.reduction()}
    return Backbone(stages, frozen_stages=frozen_stages, **common) if stages else WholeBackbone([network], **common)


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

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        network = getattr(self.stages[0], "model", None)  # none where hooks take the maps: all is one stage
        return super().stage_parameters() if network is None else layers_of(network)

    def trunk(self, stride: int) -> Backbone:
        self.stage_of(stride)  # raises where there is none
        return self

    def split(self, stride: int) -> tuple[Backbone, nn.Sequential]:
        raise MismatchError("this backbone cannot be split at a stride; choose one that is a sequence of stages")


class WholeNetwork(Backbone):
    """Images to scores of classes, by the network's own classifier. It has no maps for others to look at.

    `trained` says whether its weights are more than random ones; `made_for` is the side of the images, in pixels, with
    which timm scores its own weights; None for others.
    """

    def __init__(self, network: nn.Module, trained: bool, made_for: int | None = None, **options):
        super().__init__([network], channels=(), strides=(), **options)
        self.trained, self.made_for = trained, made_for

    @property
    def num_classes(self) -> int:
        return self.stages[0].num_classes

    @property
    def classifiers(self) -> nn.ModuleList:
        """The last layer; a distilled transformer has two."""
        layers = self.stages[0].get_classifier()
        return nn.ModuleList(layers if isinstance(layers, tuple) else [layers])

    def replace_classifier(self, num_classes: int) -> None:
        """By a new one, with random weights."""
        self.stages[0].reset_classifier(num_classes)

    @torch.no_grad()
    def keep_classes(self, outputs: Sequence[int]) -> bool:
        """Only these rows of the classifier, in this order; False where it is of a kind that has none.

        Tried on an image: some networks have more layers that end in classes than they say.
        """
        layers, mode = list(self.classifiers), self.training
        if not all(isinstance(layer, nn.Linear | nn.Conv2d) for layer in layers):
            return False
        side = self.stages[0].pretrained_cfg["input_size"][-1]
        image = torch.randint(0, 256, (1, 3, side, side), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        expected = self.eval()(image)[:, outputs]
        self.replace_classifier(len(outputs))
        for new, old in zip(self.classifiers, layers, strict=True):
            new.weight.copy_(old.weight[outputs])
            if old.bias is not None:
                new.bias.copy_(old.bias[outputs])
        kept = torch.allclose(self(image), expected, atol=1e-4, rtol=1e-4)
        self.train(mode)
        return kept

    def forward(self, images: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B K"]:
        return self.stages[0](self.normalize(images))

    def stage_parameters(self) -> list[list[nn.Parameter]]:
        """The classifier's stand with the last stage."""
        return layers_of(self.stages[0])


def layers_of(network: nn.Module) -> list[list[nn.Parameter]]:
    """The parameters of each stage of a timm network, or of each block of a transformer, first to last."""
    parameters = dict(network.named_parameters())
    groups = group_parameters(network, network.group_matcher(coarse=True))
    return [[parameters[name] for name in groups[number]] for number in sorted(groups)]


def _load(network: nn.Module, path: str, whole: bool) -> None:
    """Fills it from a file. A whole network gets a classifier for as many classes as the file knows."""
    tensors = read_weights(Path(path))
    if whole:
        names = network.default_cfg["classifier"] or ""  # several in distilled ones
        weight = tensors.get(f"{names if isinstance(names, str) else names[0]}.weight")
        if weight is not None and len(weight) != network.num_classes:
            network.reset_classifier(len(weight))
    fill(network if whole else getattr(network, "model", network), tensors, path)  # timm wraps what it cannot cut


def _create(name: str, **options) -> nn.Module:
    try:
        return timm.create_model(name, **options)
    except (RuntimeError, ValueError, TypeError, AttributeError, NotImplementedError, AssertionError) as error:
        if name.split(".")[0] in timm.list_models():
            raise MismatchError(f"backbone.name={name}: timm cannot build it so ({error})") from error
        similar = get_close_matches(name, timm.list_models(), n=5)
        raise UserError(f"backbone.name={name}: timm has no such model; similar: {', '.join(similar)}") from error
    except OSError as error:  # the hub cannot be reached
        raise UserError(
            f"backbone.weights=pretrained: the weights of {name} cannot be downloaded; "
            "give backbone.weights=PATH of a safetensors file, or none"
        ) from error
