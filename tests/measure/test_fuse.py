import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, freeze_batch_norm_2d
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tradeoffs.measure import fuse
from tradeoffs.measure.fuse import fuse_for_inference, is_batch_norm, relative_difference
from tradeoffs.runs.build import build_task
from tradeoffs.settings.compose import compose


class Network(nn.Module):
    """Layers after normalization; the batch norms have statistics that a wrong fold cannot hide behind."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        self.layers = layers
        generator = torch.Generator().manual_seed(0)
        for module in filter(is_batch_norm, self.modules()):
            for name, low, high in (
                ("weight", 0.5, 2),
                ("running_var", 0.5, 2),
                ("bias", -1, 1),
                ("running_mean", -1, 1),
            ):
                if getattr(module, name) is not None:
                    getattr(module, name).data.uniform_(low, high, generator=generator)

    def forward(self, images):
        return self.layers(images / 255)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def norms_left(model: nn.Module) -> int:
    return sum(map(is_batch_norm, model.modules()))


def check_fused(layers: nn.Module, images: torch.Tensor, left: int = 0, channels_last: bool = False) -> nn.Module:
    model = Network(layers)
    fused = fuse_for_inference(model, images, channels_last=channels_last)
    assert norms_left(fused) == left
    with torch.no_grad():
        assert fuse.relative_difference(model.eval()(images), fused(images)) < 1e-3
    return fused


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv1_100", "mobilenetv2_050", "efficientnet_b0"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_all_batch_norms_of_common_networks_are_folded(name, channels_last, images):
    check_fused(timm.create_model(name, num_classes=5), images, channels_last=channels_last)


def test_batch_norms_behind_a_concatenation_stay(images):
    # DenseNet-121: the first norm of its 58 layers, those of 3 transitions and the last one; tensors come and go.
    check_fused(timm.create_model("densenet121", num_classes=5), images, left=58 + 3 + 1)


def test_computed_weights_are_not_folded(images):
    # The weights of BiT's ResNets are standardized in each forward pass.
    layers = nn.Sequential(timm.layers.StdConv2d(3, 4, 3), nn.BatchNorm2d(4))
    check_fused(layers, images, left=1)


def test_folded_by_hand():
    layers = nn.Sequential(nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1, eps=0.0))
    layers[0].weight.data[:], layers[0].bias.data[:] = 2.0, 1.0
    layers[1].weight.data[:], layers[1].bias.data[:] = 3.0, 5.0
    layers[1].running_mean[:], layers[1].running_var[:] = 7.0, 4.0
    fuse.fold(*layers.eval())
    assert layers[0].weight.flatten().tolist() == [3.0, 3.0, 3.0]  # 2 * 3 / sqrt(4)
    assert layers[0].bias.tolist() == [-4.0]  # (1 - 7) * 3 / 2 + 5


def test_the_model_itself_is_not_changed(images):
    model = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    fuse_for_inference(model, images)
    assert all(module.training for module in model.modules())
    assert norms_left(model) == 1
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_activation_inside_a_batch_norm_is_kept(images):
    fused = check_fused(nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4, act_layer=nn.SiLU)), images)
    assert isinstance(fused.layers[1], nn.SiLU)


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv1_100"])
def test_frozen_batch_norms_are_folded(name, images):
    network = freeze_batch_norm_2d(timm.create_model(name, num_classes=5))
    assert not any(isinstance(module, _BatchNorm) for module in network.modules())
    check_fused(network, images)


def test_transposed_and_grouped_convolutions(images):
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=4, bias=False), nn.BatchNorm2d(8)]
    layers += [nn.ConvTranspose2d(8, 6, 4, stride=2, padding=1), nn.BatchNorm2d(6, affine=False)]
    check_fused(nn.Sequential(*layers), images)
    check_fused(nn.Sequential(*layers[:2], nn.ConvTranspose2d(8, 8, 2, groups=2), nn.BatchNorm2d(8)), images, left=1)


class Backwards(nn.Module):
    """Declares its layers in another order than it runs them."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 4, 3)
        self.other_norm = nn.BatchNorm2d(4)
        self.first = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.norm(self.second(self.other_norm(self.first(x))))


def test_order_of_attributes_does_not_matter(images):
    check_fused(Backwards(), images)


class Branch(nn.Module):
    """`mode` says what else reads the convolution's output."""

    def __init__(self, mode: str):
        super().__init__()
        self.mode = mode
        self.convolution, self.norm, self.second_norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.convolution(x)
        match self.mode:
            case "added":
                return self.norm(y) + y
            case "changed in place":
                return self.norm(y.relu_())
            case "returned":
                return {"features": [y], "output": self.norm(y)}
            case "two norms":
                return self.norm(y) + self.second_norm(y)
            case "convolution twice":
                return self.norm(y) + self.convolution(x + 1)
            case "norm twice":
                return self.norm(y) + self.norm(self.convolution(x + 1))
        raise ValueError(self.mode)


@pytest.mark.parametrize(
    "mode", ["added", "changed in place", "returned", "two norms", "convolution twice", "norm twice"]
)
def test_an_output_that_is_read_elsewhere_is_not_folded(mode, images):
    check_fused(Branch(mode), images, left=2)


def test_batch_norm_first_or_without_statistics_stays(images):
    layers = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False))
    check_fused(layers, images, left=2)


def assert_left_unfused(model, images, caplog):
    fused = fuse_for_inference(model, images)
    assert "folding batch norm would change the outputs" in caplog.text
    assert [type(module) for module in fused.modules()] == [type(module) for module in model.modules()]
    assert fused is not model and not fused.training


def test_different_outputs_leave_the_model_as_it_is(images, monkeypatch, caplog):
    monkeypatch.setattr(fuse, "rest_of", lambda _: nn.ReLU())
    assert_left_unfused(Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))), images, caplog)


def test_outputs_that_are_not_numbers_leave_the_model_as_it_is(images, caplog):
    model = Network(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    model.layers[0].weight.data[:] = torch.nan
    assert_left_unfused(model, images, caplog)


def test_outputs_that_swap_places_are_no_difference():
    before = (torch.tensor([3.0, 2.0, 1.0]), torch.tensor([[1.0, 2.0], [5.0, 6.0]]))
    after = (torch.tensor([2.0, 3.0, 1.0]), torch.tensor([[5.0, 6.0], [1.0, 2.0]]))
    assert relative_difference(before, after) == 0
    assert relative_difference(before, (before[0], before[1] + 1)) > 0.1


def test_two_stage_detectors_fold_whole():
    config = compose("train", ["model=faster_rcnn", "backbone=resnet18"])
    model = build_task(config, num_classes=3).model
    image = torch.randint(0, 256, (1, 3, 128, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    fused = fuse_for_inference(model, image)
    assert not any(map(is_batch_norm, fused.modules()))
