import pytest
import torch
from torchvision.transforms.v2 import functional as F

from tradeoffs.data.photometric import (
    Distortion,
    change_brightness,
    change_contrast,
    change_saturation,
    distort,
    draw_distortion,
    photometric_distort,
    shift_hue,
    uniform,
)


def colourful(batch: int) -> torch.Tensor:
    """Noise of 24 x 32 pixels, with grey and fully saturated ones."""
    images = torch.randint(0, 256, (batch, 3, 24, 32), generator=torch.Generator().manual_seed(0))
    images[:, :, :4] = images[:, :1, :4]
    images[:, :, 4:8] = images[:, :, 4:8] // 128 * 255
    return images.to(torch.uint8)


def addresses(batch: int, seed: int = 3, epoch: int = 1) -> torch.Tensor:
    return torch.tensor([[seed, epoch, index] for index in range(batch)])


def reference(image: torch.Tensor, distortion: Distortion, row: int) -> torch.Tensor:
    """The same operations, one after the other, by torchvision."""
    pixels = image.float() / 255
    pixels = F.adjust_brightness(pixels, distortion.brightness[row].item())
    pixels = F.adjust_contrast(pixels, distortion.contrast_first[row].item())
    pixels = F.adjust_saturation(pixels, distortion.saturation[row].item())
    pixels = F.adjust_hue(pixels, distortion.hue[row].item())
    pixels = F.adjust_contrast(pixels, distortion.contrast_last[row].item())
    return pixels[distortion.channels[row]] * 255


def test_a_distorted_batch_equals_torchvision_image_by_image():
    images = colourful(20)
    distortion = draw_distortion(addresses(20))
    distorted = distort(images, distortion)
    for row, image in enumerate(images):
        difference = (distorted[row] - reference(image, distortion, row)).abs()
        assert difference.max() <= 0.51  # the rounding at the end


@pytest.mark.parametrize("shift", [-1 / 6, -0.05, 0.0, 0.05, 1 / 6])
def test_a_turn_of_hue_equals_torchvision(shift: float):
    images, one = colourful(2), torch.ones(2)
    distortion = Distortion(one, one, one, torch.full((2,), shift), one, torch.arange(3).expand(2, 3))
    expected = torch.stack([reference(image, distortion, 0) for image in images])
    assert (distort(images, distortion) - expected).abs().max() <= 0.51


@pytest.mark.parametrize(
    ("operation", "neutral"),
    [(change_brightness, 1.0), (change_contrast, 1.0), (change_saturation, 1.0), (shift_hue, 0.0)],
)
def test_neutral_amounts_change_nothing(operation, neutral: float):
    """A GPU applies every operation to all images rather than ask which ones it concerns."""
    pixels = colourful(2).float()
    changed = operation(pixels.clone(), torch.full((2, 1, 1, 1), neutral))
    torch.testing.assert_close(changed, pixels, rtol=0, atol=1e-3)


def test_an_image_looks_the_same_in_every_batch():
    images, where = colourful(20), addresses(20)
    together = photometric_distort(images, where)
    assert torch.equal(photometric_distort(images[7:9], where[7:9]), together[7:9])


def test_epochs_and_seeds_differ():
    images = colourful(8)
    looks = [photometric_distort(images, addresses(8, seed, epoch)) for seed, epoch in [(0, 0), (0, 1), (1, 0)]]
    assert not torch.equal(looks[0], looks[1])
    assert not torch.equal(looks[0], looks[2])


def test_each_operation_concerns_half_of_the_images_within_its_range():
    distortion = draw_distortion(addresses(4000))
    contrast = distortion.contrast_first * distortion.contrast_last  # one of the two is 1
    ranges = [(distortion.brightness, 0.125, 1), (contrast, 0.5, 1), (distortion.saturation, 0.5, 1)]
    for amount, spread, neutral in [*ranges, (distortion.hue, 0.05, 0)]:
        change = amount[amount != neutral] - neutral
        assert len(change) == pytest.approx(2000, abs=150)
        assert change.abs().max().item() == pytest.approx(spread, rel=0.02)
        assert change.mean().item() == pytest.approx(0, abs=spread / 10)
    assert (distortion.contrast_first != 1).sum().item() == pytest.approx(1000, abs=120)
    assert distortion.channels.sort(dim=1).values.eq(torch.arange(3)).all()
    permuted = distortion.channels.ne(torch.arange(3)).any(dim=1).sum().item()
    assert permuted == pytest.approx(4000 / 2 * 5 / 6, abs=150)  # one permutation of six changes nothing


def test_uniform_numbers_follow_splitmix64():
    """Against the published generator in plain integers."""

    def mix(bits: int) -> int:
        bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EB % 2**64
        return bits ^ (bits >> 31)

    expected = []
    for counter in range(3):
        state = 0
        for part in (3, 1, 5, counter):
            state = mix((state + part * 0x9E3779B97F4A7C15) % 2**64)
        expected.append((state >> 40) / 2**24)
    assert uniform(torch.tensor([[3, 1, 5]]), 3).tolist() == [expected]
