"""Layers that several models use."""

import numpy as np
import pytest
import torch
from torch import nn

from tradeoffs.models.layers import Convolution, truncate_linear


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


@pytest.mark.parametrize(("inputs", "outputs"), [(9, 6), (5, 8)])
@pytest.mark.parametrize("rank", [1, 3, 5])
def test_a_cut_layer_is_the_nearest_of_its_rank(inputs, outputs, rank):
    """The error in the Frobenius norm is what the left-out singular values say (Eckart and Young 1936)."""
    torch.manual_seed(0)
    layer = nn.Linear(inputs, outputs)
    first, second = truncate_linear(layer, rank)
    assert first.weight.shape == (rank, inputs) and first.bias is None
    torch.testing.assert_close(second.bias, layer.bias)
    left_out = torch.from_numpy(np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)[rank:].copy())
    error = (second.weight @ first.weight - layer.weight).norm()
    torch.testing.assert_close(error, left_out.norm(), atol=1e-5, rtol=1e-4)
