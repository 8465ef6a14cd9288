"""In-network upsampling: the examples of Stanford CS231n 2017, lecture 11, and their borders."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from tradeoffs.ops.upsampling import (
    BedOfNails,
    Bilinear,
    LearnedBilinear,
    MaxUnpool,
    Nearest,
    TransposedConvolution,
    Upsampling,
    max_pool,
)

SQUARE = [[1, 2], [3, 4]]
ALL = (Nearest, Bilinear, BedOfNails, MaxUnpool, TransposedConvolution, LearnedBilinear)


def a_map(rows: list[list[float]]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float32)[None, None]


def test_nearest_copies_each_pixel():
    expected = [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert_close(Nearest(1)(a_map(SQUARE), (4, 4)), a_map(expected))


def test_a_bed_of_nails_has_them_top_left():
    expected = [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    assert_close(BedOfNails(1)(a_map(SQUARE), (4, 4)), a_map(expected))
    assert_close(BedOfNails(1)(a_map(SQUARE), (3, 5)), F.pad(a_map(expected)[..., :3, :], (0, 1)))


def test_max_unpooling_restores_positions():
    pooled, positions = max_pool(a_map([[1, 2, 6, 3], [3, 5, 2, 1], [1, 2, 2, 1], [7, 3, 4, 8]]), nn.MaxPool2d(2))
    assert_close(pooled, a_map([[5, 6], [7, 8]]))
    expected = [[0, 0, 2, 0], [0, 1, 0, 0], [0, 0, 0, 0], [3, 0, 0, 4]]
    assert_close(MaxUnpool(1)(a_map(SQUARE), (4, 4), positions), a_map(expected))


def test_a_transposed_convolution_adds_copies_of_its_filter():
    """In one dimension a, b and x, y, z give ax, ay, az + bx, by, bz, of which padding cuts the first off."""
    up = TransposedConvolution(1)
    nn.init.zeros_(up.layer.bias)
    nn.init.zeros_(up.layer.weight)
    up.layer.weight.data[0, 0, 1] = torch.tensor([10.0, 100, 1000])
    assert_close(up(a_map([[2, 3]]), (1, 4)), a_map([[200, 2000 + 30, 300, 3000]]))


def test_a_transposed_convolution_of_3x3_with_stride_2():
    """A filter of ones: the four pixels between four others see all of them."""
    up = TransposedConvolution(1)
    nn.init.zeros_(up.layer.bias)
    nn.init.ones_(up.layer.weight)
    assert_close(up(a_map(SQUARE), (4, 4)), a_map([[1, 3, 2, 2], [4, 10, 6, 6], [3, 7, 4, 4], [3, 7, 4, 4]]))


def test_it_is_the_gradient_of_the_convolution():
    torch.manual_seed(0)
    up, x = TransposedConvolution(2), torch.randn(1, 2, 8, 8, requires_grad=True)
    nn.init.zeros_(up.layer.bias)
    y = torch.randn(1, 2, 4, 4)
    (F.conv2d(x, up.layer.weight, stride=2, padding=1) * y).sum().backward()
    assert_close(up(y, (8, 8)), x.grad)


def test_bilinear_between_two_pixels():
    assert_close(Bilinear(1)(a_map([[0, 4]]), (1, 4)), a_map([[0, 1, 3, 4]]))


def test_the_learned_one_begins_as_bilinear():
    """But for the border, which sees zeros beyond."""
    x = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    ours, expected = (up(x, (10, 12))[..., 1:-1, 1:-1] for up in (LearnedBilinear(3), Bilinear(3)))
    assert_close(ours, expected)


@pytest.mark.parametrize("size", [(7, 9), (8, 10), (9, 11)])
@pytest.mark.parametrize("kind", ALL)
def test_every_way_gives_the_size_that_is_asked_for(kind: type[Upsampling], size):
    """Also those that pooling has rounded, up or down."""
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(20).view(4, 5).expand(2, 3, 4, 5)
    finer = kind(3)(x, size, positions)
    assert finer.shape == (2, 3, *size) and finer.isfinite().all()


def test_nails_are_what_pooling_by_strides_takes():
    x = torch.randn(1, 2, 4, 5, generator=torch.Generator().manual_seed(0))
    assert_close(BedOfNails(2)(x, (8, 10))[..., ::2, ::2], x)
