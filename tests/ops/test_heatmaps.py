"""Values by hand, and round trips."""

import math

import pytest
import torch

from tradeoffs.ops.heatmaps import blur, decode_dark, decode_quarter, gaussians, peaks


def test_a_gaussian_by_hand():
    """Its centre is that of the pixel in column 2, row 1."""
    (heatmap,) = gaussians(torch.tensor([[2.5, 1.5]]), (3, 5), sigma=1.0)
    assert heatmap.shape == (3, 5) and heatmap[1, 2] == 1
    assert heatmap[1, 3].item() == pytest.approx(math.exp(-0.5)) and heatmap[0, 3].item() == pytest.approx(math.exp(-1))


def test_the_highest_pixel():
    heatmap = torch.zeros(2, 3, 4)
    heatmap[0, 2, 1], heatmap[1, 0, 3] = 0.7, 0.2
    places, values = peaks(heatmap)
    assert places.tolist() == [[1, 2], [3, 0]]
    torch.testing.assert_close(values, torch.tensor([0.7, 0.2]))


def test_a_quarter_of_a_pixel_towards_the_higher_neighbour():
    heatmap = torch.zeros(1, 5, 5)
    heatmap[0, 2, 2], heatmap[0, 2, 3], heatmap[0, 1, 2] = 1.0, 0.5, 0.4
    places, values = decode_quarter(heatmap)
    assert places.tolist() == [[2.75, 2.25]] and values.tolist() == [1.0]


def test_at_the_border_the_pixel_stands():
    """On the axis on which a neighbour is missing; DARK needs all of them."""
    heatmap = torch.zeros(1, 5, 5)
    heatmap[0, 0, 2], heatmap[0, 0, 1], heatmap[0, 1, 2] = 1.0, 0.5, 0.9
    assert decode_quarter(heatmap)[0].tolist() == [[2.25, 0.5]]
    assert decode_dark(heatmap, 1.0)[0][0, 1].item() == 0.5


def points() -> torch.Tensor:
    """Some of every part of a pixel, away from the border."""
    return 6 + 12 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_dark_finds_gaussians_again(sigma):
    found, values = decode_dark(gaussians(points(), (24, 24), sigma), sigma)
    assert (found - points()).abs().max() < 0.03
    assert (values > 0.7).all() and (values <= 1).all()


def test_a_quarter_pixel_finds_gaussians_to_a_quarter_pixel():
    found, _ = decode_quarter(gaussians(points(), (24, 24), 2.0))
    assert 0.2 < (found - points()).abs().max() <= 0.25 + 1e-4


def test_dark_by_the_second_derivatives_of_an_oblique_gaussian():
    """Whose axes are not those of the map, so that the mixed derivative counts."""
    x = torch.arange(24) + 0.5
    dx, dy = x[None] - 11.3, x[:, None] - 12.8
    heatmap = torch.exp(-(dx**2 + dy**2 + dx * dy) / 16)
    found, _ = decode_dark(heatmap[None], 1.0)
    assert (found - torch.tensor([[11.3, 12.8]])).abs().max() < 0.03


def test_smoothing_keeps_the_sum_and_finds_the_joint_in_noise():
    noise = 0.3 * torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(1))
    clean = gaussians(torch.tensor([[15.2, 17.9]]), (32, 32), 2.0)
    assert blur(clean, 2.0).sum().item() == pytest.approx(clean.sum().item(), rel=1e-3)
    noisy = clean + noise
    dark, quarter = decode_dark(noisy, 2.0)[0], decode_quarter(noisy)[0]
    truth = torch.tensor([[15.2, 17.9]])
    assert (dark - truth).norm() < 0.3 < (quarter - truth).norm()


def test_an_empty_map_gives_no_nan():
    for decode in (decode_quarter, lambda maps: decode_dark(maps, 2.0)):
        places, values = decode(torch.zeros(2, 3, 8, 8))
        assert places.isfinite().all() and (values == 0).all()
