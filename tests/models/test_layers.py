"""Layers that several models use."""

import torch
from torch import nn

from tradeoffs.models.layers import Convolution


def test_single_pixels_are_convolved_as_ever():
    torch.manual_seed(0)
    layer = Convolution(4, 6, kernel_size=3, stride=2, padding=1)
    plain = nn.Conv2d(4, 6, kernel_size=3, stride=2, padding=1)
    plain.load_state_dict(layer.state_dict())
    for side in (1, 2, 5):
        x = torch.randn(3, 4, side, side)
        torch.testing.assert_close(layer(x), plain(x))


def test_gradients_of_single_pixels_are_right_in_bfloat16():
    """torch's own are garbage in most tries."""
    torch.manual_seed(0)
    for _ in range(20):
        layer, x = Convolution(64, 128, kernel_size=3, stride=2, padding=1), torch.randn(8, 64, 1, 1)
        (exact,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
        with torch.autocast("cpu", torch.bfloat16):
            (found,) = torch.autograd.grad(layer(x).float().square().sum(), layer.weight)
        assert (found - exact).norm() < 0.05 * exact.norm()
