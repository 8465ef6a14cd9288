"""What the contract tests of all models share: models by their task, as their YAML files say, and images."""

import jaxtyping
import pytest
import torch
import yaml
from torch import nn

from tradeoffs.runs.build import build_model
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.structures import Targets

SIZE, CLASSES = 96, 3
# Narrow heads that look at few regions: contracts hold for any width, and those of the papers are tested by numbers.
NARROW = {
    "faster_rcnn": ["num_proposals=50", "train_proposals=100", "sampled=16", "rpn_channels=128", "crop_size=6"],
    "mask_rcnn": [
        "num_proposals=50",
        "train_proposals=100",
        "sampled=16",
        "rpn_channels=128",
        "mask_channels=64",
        "crop_size=7",
    ],
    "keypoint_rcnn": [
        *("num_proposals=50", "train_proposals=100", "sampled=16", "keypoint_channels=32", "keypoint_layers=2"),
        *("pyramid.channels=64", "pyramid.widths=[64]"),
    ],
    "fast_rcnn": ["sampled=16", "crop_size=6"],
    "rcnn": ["sampled=16", "crop_size=48", "context=4"],
    "sppnet": ["sampled=16", "widths=[64,64]"],
    "rfcn": ["num_proposals=50", "train_proposals=100", "sampled=64", "rpn_channels=128", "channels=128"],
    "fcos": ["neck.channels=64"],
    "retinanet": ["neck.channels=64"],
    "yolo": ["channels=[128,128,128,128]", "hidden=256"],
    "yolov2": ["width=256"],
    "unet": ["channels=8", "most_channels=64"],
    "deconvnet": ["depth=1"],
    "deeplabv3": ["channels=32"],
    "sliding_window": ["shared=true"],
    "full_resolution": ["stages=2"],
}

# Of models that do not take any.
OTHER_BACKBONE = {"sliding_window": "convnet", "sliding_window_detector": "convnet"}


def models_of(task: str, needs: str | None = None) -> list[str]:
    """Those that are given images alone, or something that they need beside them."""
    contents = {path.stem: yaml.safe_load(path.read_text()) for path in (CONF / "model").glob("*.yaml")}
    return sorted(name for name, said in contents.items() if (said.get("task"), said.get("needs")) == (task, needs))


def learns_from(model: str) -> list[str]:
    """Annotations that a model asks for in place of its task's; empty for most."""
    return yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text()).get("annotations", [])


def make(model: str, backbone: str | None = None, *overrides: str) -> nn.Module:
    backbone = backbone or OTHER_BACKBONE.get(model, "resnet18")
    network = ["backbone.name=mobilenetv3_small_050"] if backbone == "timm" else []
    narrow = [f"model.{text}" for text in NARROW.get(model, [])]
    words = [f"model={model}", f"backbone={backbone}", f"image_size={SIZE}", *network, *narrow, *overrides]
    config = compose("train", [*words, "name=contract"])  # a name of its own is quicker than one made of the settings
    torch.manual_seed(config.seed)
    return build_model(config, CLASSES)


def images(count: int = 2) -> torch.Tensor:
    """Noise, with the objects of the targets as bright areas in the first image."""
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randint(0, 100, (count, 3, SIZE, SIZE), dtype=torch.uint8, generator=generator)
    pictures[0, 0, 8:70, 8:60] += 150
    pictures[0, 2, 20:50, 50:90] += 150
    return pictures


def check_step(model: nn.Module, targets: Targets) -> None:
    """It is finite and reaches the backbone."""
    losses = model.losses(images(), targets)
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss.shape == () for loss in losses.values())
    assert all(p.grad.isfinite().all() and p.grad.any() for p in model.backbone.stages[0].parameters())


def check_step_in_bfloat16(model: nn.Module, targets: Targets) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        losses = model.losses(images(), targets)
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())


def check_round_trip(model: nn.Module, other: nn.Module, path, *more: torch.Tensor) -> None:
    """What `model` saves makes `other`, whose weights are put out of order, give the same."""
    torch.save(model.state_dict(), path)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(1)
    other.load_state_dict(torch.load(path, weights_only=True))
    compare(other.eval(), model.eval(), 1e-5, *more)


def check_exports(model: nn.Module, monkeypatch: pytest.MonkeyPatch, *more: torch.Tensor) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # its checks cannot be exported
    compare(torch.export.export(model.eval(), (images(), *more)).module(), model, 1e-4, *more)


def compare(ours: nn.Module, expected: nn.Module, atol: float, *more: torch.Tensor) -> None:
    """Both give the same of images, and what `more` they are called with."""
    with torch.no_grad():
        for part, wanted in zip(ours(images(), *more), expected(images(), *more), strict=True):
            torch.testing.assert_close(part, wanted, atol=atol, rtol=1e-4)
