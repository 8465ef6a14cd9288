import pytest
import torch
from torch.testing import assert_close
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops import roi_align as torchvision_roi_align
from torchvision.ops import roi_pool as torchvision_roi_pool

from tradeoffs.ops.roi import pyramid_levels, roi_align, roi_pool

SIZE = 64
BOXES = torch.tensor(
    [[[0.0, 0, 64, 64], [3, 5, 40, 21], [10, 10, 10.2, 10.1]], [[60, 60, 64, 64], [1, 2, 63, 9], [0, 0, 0, 0]]]
)


def random_maps(*sides: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 5, side, side, generator=generator, requires_grad=True) for side in sides]


def test_a_ramp_is_read_where_the_bins_are():
    """The map's value is its column; the box spans columns 1 to 3, so four bins are half a column wide."""
    ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    boxes = torch.tensor([[[10.0, 0, 30, 40]]])
    crop = roi_align([ramp], boxes, torch.zeros(1, 1, dtype=torch.int64), (40, 40), size=4, samples=1)
    assert_close(crop[0, 0, 0], torch.tensor([1.25, 1.75, 2.25, 2.75]))


def test_each_axis_has_its_own_scale():
    """4 x 8 pixels of the map for 40 x 40 of the image."""
    ramp = torch.arange(8.0).expand(1, 1, 4, 8)
    boxes = torch.tensor([[[10.0, 0, 30, 40]]])
    crop = roi_align([ramp], boxes, torch.zeros(1, 1, dtype=torch.int64), (40, 40), size=2, samples=1)
    assert_close(crop[0, 0, 0], torch.tensor([3.0, 5.0]))


@pytest.mark.parametrize(("size", "samples"), [(14, 1), (7, 2)])
def test_equals_torchvision_on_one_map(size, samples):
    (features,) = random_maps(8)
    ours = roi_align([features], BOXES, torch.zeros(2, 3, dtype=torch.int64), (SIZE, SIZE), size, samples)
    theirs = torchvision_roi_align(features, list(BOXES), size, spatial_scale=1 / 8, sampling_ratio=samples)
    assert_close(ours, theirs)


def test_equals_torchvision_on_a_pyramid_with_gradients():
    maps = random_maps(16, 8, 4)
    boxes, levels = BOXES.repeat(1, 3, 1), torch.arange(3).repeat_interleave(3).expand(2, 9)
    ours = roi_align(maps, boxes, levels, (SIZE, SIZE), 7, 2)
    of_all = [torchvision_roi_align(x, list(boxes), 7, x.shape[-1] / SIZE, 2) for x in maps]
    theirs = torch.stack(of_all)[levels.flatten(), torch.arange(levels.numel())]
    assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    for mine, expected in zip(
        torch.autograd.grad((ours * weights).sum(), maps),
        torch.autograd.grad((theirs * weights).sum(), maps),
        strict=True,
    ):
        assert_close(mine, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("size", "samples"), [(14, 1), (7, 2)])
def test_half_a_pixel_further_equals_torchvision_aligned(size, samples):
    (features,) = random_maps(8)
    levels = torch.zeros(2, 3, dtype=torch.int64)
    ours = roi_align([features], BOXES, levels, (SIZE, SIZE), size, samples, half_pixel=True)
    theirs = torchvision_roi_align(features, list(BOXES), size, 1 / 8, sampling_ratio=samples, aligned=True)
    assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_the_highest_of_whole_pixels_equals_torchvision_on_a_pyramid_with_gradients():
    maps = random_maps(16, 8, 4)
    boxes, levels = BOXES.repeat(1, 3, 1), torch.arange(3).repeat_interleave(3).expand(2, 9)
    ours = roi_pool(maps, boxes, levels, (SIZE, SIZE), 3)
    of_all = [torchvision_roi_pool(x, list(boxes), 3, x.shape[-1] / SIZE) for x in maps]
    theirs = torch.stack(of_all)[levels.flatten(), torch.arange(levels.numel())]
    assert_close(ours, theirs)
    assert (theirs == 0).any()  # bins beyond the map
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    for mine, expected in zip(
        torch.autograd.grad((ours * weights).sum(), maps),
        torch.autograd.grad((theirs * weights).sum(), maps),
        strict=True,
    ):
        assert_close(mine, expected, atol=1e-5, rtol=1e-4)


def test_crops_are_channels_last():
    crops = roi_align(random_maps(8), BOXES, torch.zeros(2, 3, dtype=torch.int64), (SIZE, SIZE), 7, 2)
    assert crops.is_contiguous(memory_format=torch.channels_last)


def test_levels_by_hand():
    """224 px belong to stride 16, 112 px to 8, less to 4; from 448 px on, the coarsest."""
    sides = torch.tensor([1.0, 111, 112, 223, 224, 447, 448, 2000])
    boxes = torch.stack([sides * 0, sides * 0, sides * 2, sides / 2], dim=-1)[None]  # the area counts, not the shape
    assert pyramid_levels(boxes, (4, 8, 16, 32)).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]]
    assert pyramid_levels(boxes, (4, 8)).tolist() == [[0, 0, 1, 1, 1, 1, 1, 1]]
    assert pyramid_levels(boxes, (16,)).tolist() == [[0] * 8]


def test_levels_equal_torchvision():
    generator = torch.Generator().manual_seed(0)
    corner = 300 * torch.rand(1, 500, 2, generator=generator)
    boxes = torch.cat([corner, corner + 500 * torch.rand(1, 500, 2, generator=generator)], dim=-1)
    pooler = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    pooler(
        {str(k): torch.zeros(1, 1, 800 // s, 800 // s) for k, s in enumerate((4, 8, 16, 32))}, [boxes[0]], [(800, 800)]
    )
    assert torch.equal(pyramid_levels(boxes, (4, 8, 16, 32))[0], pooler.map_levels([boxes[0]]))


def test_no_gradient_flows_to_the_boxes():
    boxes = BOXES.clone().requires_grad_()
    features = random_maps(8)[0].detach()
    assert not roi_align([features], boxes, torch.zeros(2, 3, dtype=torch.int64), (SIZE, SIZE), 7, 2).requires_grad


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_a_number_stays_none(value):
    """And spoils no other crop, as a pixel that does not exist would."""
    boxes, levels = BOXES.clone(), torch.zeros(2, 3, dtype=torch.int64)
    boxes[0, 1] = value
    crops = roi_align(random_maps(8), boxes, levels, (SIZE, SIZE), 7, 2).unflatten(0, (2, 3))
    assert not crops[0, 1].isfinite().any()
    assert crops[1].isfinite().all() and crops[0, [0, 2]].isfinite().all()
    nothing = random_maps(8)[0] * torch.nan
    assert roi_align([nothing], BOXES, levels, (SIZE, SIZE), 7, 2).isnan().all()
