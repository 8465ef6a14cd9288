import pytest
import timm
import torch
import torchvision
from torch import nn

from tradeoffs.measure.cost import count_parameters, evaluating, multiply_adds, peak_memory


def test_parameters_count_shared_weights_once_and_statistics_never():
    shared = nn.Linear(3, 4)  # 12 + 4
    model = nn.Sequential(shared, shared, nn.BatchNorm1d(4), nn.Linear(4, 1).requires_grad_(False))  # 8, 5
    assert count_parameters(model) == (29, 24, 4 * 29)


def test_multiply_adds_of_one_convolution():
    convolution = nn.Conv2d(3, 8, kernel_size=5, stride=2, padding=2)
    # 16 x 16 places, 8 filters of 5 x 5 x 3, for each of 2 images
    assert multiply_adds(convolution, torch.zeros(2, 3, 32, 32)) == 2 * 16 * 16 * 8 * 75


class Normalized(nn.Module):
    """A network that takes images as they travel."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images / 255)


@pytest.mark.parametrize(
    ("build", "published"),
    [
        (lambda: torchvision.models.vgg16(), 15.5e9),  # Simonyan & Zisserman 2015, configuration D
        (lambda: torchvision.models.resnet101(), 7.8e9),  # He et al. 2016, table 1: 7.6e9 with stride in the 1x1
        (lambda: timm.create_model("mobilenetv1_100"), 0.57e9),  # Howard et al. 2017, table 4
    ],
    ids=["vgg16", "resnet101", "mobilenetv1"],
)
def test_multiply_adds_are_the_published_ones(build, published):
    with torch.device("meta"):  # counting needs shapes alone
        model, images = Normalized(build()), torch.zeros(1, 3, 224, 224, dtype=torch.uint8)
    assert multiply_adds(model, images) == pytest.approx(published, rel=0.02)


def test_modes_come_back_as_they_were():
    model = nn.Sequential(nn.Dropout(), nn.Sequential(nn.BatchNorm2d(3)))
    model.train()
    model[1].eval()
    with evaluating(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == [True, True, False, False]


def test_peak_memory_is_what_is_held_at_once():
    mebibyte = 2**20

    def fill(count: int) -> None:
        held = [torch.ones(16 * mebibyte // 4) for _ in range(count)]
        del held
        torch.ones(mebibyte // 4)

    peak = peak_memory(lambda: fill(3), "cpu")
    if peak is None:
        pytest.skip("this system does not tell how much memory a process held at most")
    assert peak == pytest.approx(48 * mebibyte, abs=4 * mebibyte)
