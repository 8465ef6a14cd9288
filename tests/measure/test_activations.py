import torch
from torch import nn

from tradeoffs.measure.activations import activation_bytes


def count(layers: nn.Module, images: torch.Tensor) -> int:
    return activation_bytes(layers, images) // 4  # numbers


def images(size: int = 8, batch: int = 1) -> torch.Tensor:
    return torch.zeros(batch, 3, size, size, dtype=torch.uint8)


class Scaled(nn.Module):
    def forward(self, images):
        return images / 255


class Sequence(nn.Module):
    """As nn.Sequential, but nothing refers to a map once the next one is there."""

    def __init__(self, *layers: nn.Module):
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x


def test_a_chain_holds_two_maps_at_a_time():
    chain = Sequence(Scaled(), nn.Conv2d(3, 16, 1), nn.Conv2d(16, 4, 1), nn.Conv2d(4, 2, 1))
    assert count(chain, images()) == 64 * (16 + 4)  # after the second convolution; 3 + 16 and 4 + 2 are less
    assert count(chain, images(batch=5)) == 5 * 64 * (16 + 4)


def test_what_is_kept_for_later_counts():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.chain = Sequence(nn.Conv2d(3, 16, 1), nn.Conv2d(16, 4, 1))

        def forward(self, images):
            x = images / 255
            return x, self.chain(x)

    assert count(Skip(), images()) == 64 * (3 + 16 + 4)


def test_in_place_work_and_views_take_nothing():
    assert count(Sequence(Scaled(), nn.Flatten(), nn.ReLU(inplace=True), nn.Unflatten(1, (3, 8, 8))), images()) == 192
    assert count(Sequence(Scaled(), nn.ReLU()), images()) == 2 * 192


def test_weights_and_images_do_not_count():
    assert activation_bytes(nn.Identity(), images()) == 0
    assert count(Sequence(Scaled(), nn.AdaptiveAvgPool2d(1), nn.Conv2d(3, 1000, 1)), images()) <= 192 + 3 + 3 + 1000


def test_the_device_does_not_matter():
    with torch.device("meta"):
        chain = Sequence(Scaled(), nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2))
        found = count(chain, images())
    assert found == count(chain.to_empty(device="cpu"), images().to("cpu"))
