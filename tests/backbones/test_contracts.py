"""What every backbone YAML promises."""

import math

import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.runs.build import build
from tradeoffs.settings.compose import CONF, compose

# Maps of 96 and of 75 px, the smallest image, in networks that pad little: 47 after the first 3x3 of stride 2, then 45;
# and in one with 7x7 kernels that pads nothing.
VALID_PADDING = {96: [45, 20, 9, 4, 1], 75: [35, 15, 7, 3, 1]}
NO_PADDING = {96: [90, 39, 13], 75: [69, 28, 8]}
NAMES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml") if path.stem != "none")
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


@pytest.mark.parametrize("size", [96, 75])
@pytest.mark.parametrize("name", NAMES)
def test_declared_channels_and_strides_hold(name, size):
    backbone = make(name).eval()
    with torch.no_grad():
        features = backbone(images(size))
    sizes = [math.ceil(size / stride) for stride in backbone.strides]
    if name in ("inception_v3", "inception_resnet_v2"):
        sizes = VALID_PADDING[size]
    if name == "convnet":
        sizes = NO_PADDING[size]
    assert [feature.shape for feature in features] == [
        (1, channels, side, side) for channels, side in zip(backbone.channels, sizes, strict=True)
    ]
    assert all(feature.isfinite().all() for feature in features)


def test_split_computes_the_same(backbone):
    backbone.eval()
    stride = 16 if 16 in backbone.strides else 2
    trunk, rest = backbone.split(stride)
    whole = backbone(images())
    features = trunk(images())
    assert trunk.strides[-1] == stride and len(features) < len(whole)
    torch.testing.assert_close(rest(features[-1]), whole[-1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet", "inception_resnet_v2"])
def test_the_final_stage_is_never_part_of_the_split_trunk(name, output_stride):
    """Dilated, it has the stride that is asked for, or even all stages have a smaller one."""
    backbone = make(name, f"backbone.output_stride={output_stride}").eval()
    trunk, rest = backbone.split(16)
    assert len(trunk.stages) == len(backbone.stages) - 1 and trunk.strides[-1] == output_stride
    torch.testing.assert_close(rest(trunk(images())[-1]), backbone(images())[-1], atol=1e-5, rtol=1e-4)


def test_unknown_stride_says_which_there_are(backbone):
    with pytest.raises(UserError, match="no features of stride 7; choose: "):
        backbone.trunk(7)


@pytest.mark.parametrize(
    ("name", "sizes"), [("resnet18", [6, 6]), ("mobilenet", [6, 6]), ("inception_resnet_v2", [4, 2])]
)
def test_output_stride(name, sizes):
    backbone = make(name, "backbone.output_stride=16").eval()
    assert backbone.strides[-2:] == (16, 16)
    assert [feature.shape[-1] for feature in backbone(images())][-2:] == sizes


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


def test_a_frozen_stage_keeps_its_statistics_after_a_split():
    _, rest = make("resnet18", "backbone.frozen_stages=5").split(16)
    rest.train()
    before = {name: value.clone() for name, value in rest.state_dict().items()}
    rest(torch.randn(2, 256, 4, 4))
    assert all(torch.equal(value, before[name]) for name, value in rest.state_dict().items())


@pytest.mark.parametrize("name", ["mobilenet", "inception_v2", "inception_v3", "inception_resnet_v2"])
def test_normalization_is_that_of_the_weights(name):
    backbone = make(name)
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
