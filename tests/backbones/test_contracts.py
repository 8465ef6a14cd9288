"""What every backbone YAML promises."""

import pytest
import torch

from tradeoffs.apps.build import build
from tradeoffs.apps.config import CONF, compose
from tradeoffs.errors import UserError

NAMES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))
TIMM = ("mobilenetv3_small_050", "convnext_atto", "swin_tiny_patch4_window7_224")


def make(name: str, *overrides: str):
    network = ["backbone.name=mobilenetv3_small_050"] if name == "timm" else []
    torch.manual_seed(0)
    return build(compose("train", [f"backbone={name}", *network, *overrides]), "backbone")


@pytest.fixture(params=NAMES)
def backbone(request):
    return make(request.param)


def images(size: int = 96, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=generator)


def test_declared_channels_and_strides_hold(backbone):
    features = backbone.eval()(images())
    assert len(features) == len(backbone.channels) == len(backbone.strides)
    for feature, channels, stride in zip(features, backbone.channels, backbone.strides, strict=True):
        assert feature.shape == (1, channels, 96 // stride, 96 // stride)


def test_split_computes_the_same(backbone):
    backbone.eval()
    trunk, rest = backbone.split(16)
    whole = backbone(images())
    features = trunk(images())
    assert trunk.strides[-1] == 16 and len(features) < len(whole)
    assert torch.equal(rest(features[-1]), whole[-1])


def test_unknown_stride_says_which_there_are(backbone):
    with pytest.raises(UserError, match="no features of stride 7; choose: "):
        backbone.split(7)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet"])
def test_output_stride(name):
    backbone = make(name, "backbone.output_stride=16").eval()
    assert backbone.strides[-2:] == (16, 16)
    assert [feature.shape[-1] for feature in backbone(images())][-2:] == [6, 6]


def test_frozen_stages_and_norms_stay_as_they_are():
    backbone = make("resnet18", "backbone.frozen_stages=2", "backbone.freeze_norm=true").train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=1.0)
    backbone(images(count=2))[-1].square().mean().backward()
    optimizer.step()
    after = backbone.state_dict()
    changed = {name.split(".")[1] for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"2", "3", "4"}  # stages, counted from 0
    assert all(torch.equal(after[name], before[name]) for name in after if ".bn" in name)


def test_normalization_is_that_of_the_weights():
    backbone = make("mobilenet")
    extremes = torch.tensor([0, 255], dtype=torch.uint8).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    torch.testing.assert_close(backbone.normalize(extremes)[0, :, 0], torch.tensor([[-1.0, 1.0]] * 3))


@pytest.mark.parametrize("name", TIMM)
def test_other_networks_of_timm(name):
    backbone = make("timm", f"backbone.name={name}").eval()
    size = 224 if "224" in name else 64
    features = backbone(images(size))
    assert [f.shape[1] for f in features] == list(backbone.channels)
    assert [size // f.shape[-1] for f in features] == list(backbone.strides)


def test_unknown_network_names_similar_ones():
    with pytest.raises(UserError, match=r"no such model; similar: .*resnet18"):
        make("timm", "backbone.name=resnet1888")
