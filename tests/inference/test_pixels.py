"""Whatever an image is given as, the network sees the same pixels as of its file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tradeoffs.data.image_file import read_image
from tradeoffs.errors import UserError
from tradeoffs.inference.pixels import pixels_of

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
GREY16 = np.arange(24, dtype=np.uint16).reshape(4, 6) * 2800


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        PIXELS[:, ::-1][:, ::-1],  # not contiguous
        np.dstack([PIXELS, np.zeros((4, 6), np.uint8)]),
        channels_first(PIXELS),
        torch.cat([channels_first(PIXELS), torch.zeros(1, 4, 6, dtype=torch.uint8)]),
        Image.fromarray(PIXELS),
        Image.fromarray(np.dstack([PIXELS, np.zeros((4, 6), np.uint8)])),
    ],
)
def test_colours(image):
    assert torch.equal(pixels_of(image), channels_first(PIXELS))


@pytest.mark.parametrize("image", [PIXELS[..., 0], PIXELS[..., :1], torch.from_numpy(PIXELS[..., 0])[None]])
def test_grey(image):
    assert torch.equal(pixels_of(image), torch.from_numpy(PIXELS[..., 0]).expand(3, 4, 6))


def test_sixteen_bits_are_those_of_a_file(tmp_path):
    Image.fromarray(GREY16).save(tmp_path / "grey.png")
    expected = read_image(tmp_path / "grey.png")
    assert expected.max() > 200
    with Image.open(tmp_path / "grey.png") as opened:
        images = [tmp_path / "grey.png", str(tmp_path / "grey.png"), GREY16, GREY16.astype(">u2"), opened]
        for image in [*images, torch.from_numpy(GREY16)]:
            assert torch.equal(pixels_of(image), expected)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_a_turned_photo_is_upright(tmp_path: Path, suffix):
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter clockwise
    Image.fromarray(PIXELS).save(tmp_path / f"a.{suffix}", exif=turned)
    expected = read_image(tmp_path / f"a.{suffix}", upright=True)
    assert expected.shape == (3, 6, 4)
    with Image.open(tmp_path / f"a.{suffix}") as opened:
        assert torch.equal(pixels_of(opened), expected)


def test_nothing_is_shared():
    array, tensor = PIXELS.copy(), channels_first(PIXELS.copy())
    for image in (array, tensor):
        seen = pixels_of(image)
        image[:] = 7
        assert torch.equal(seen, channels_first(PIXELS))


@pytest.mark.parametrize(
    ("image", "line"),
    [
        (PIXELS / 255, r"an image of float64 has no known black and white; give uint8, .* by \(255 \* image\)\.round"),
        (torch.rand(3, 4, 6), "an image of float32 has no known"),
        (PIXELS.astype(np.int64), "an image of int64 has no known black and white; .*: convert it"),
        (channels_first(PIXELS).numpy(), "an image of the shape 3 4 6 is impossible; an array is H W 3"),
        (torch.zeros(5, 6, 3, dtype=torch.uint8), "an image of the shape 5 6 3 is impossible; .*a tensor 3 H W"),
        (PIXELS[:0], "an image of the shape 0 6 3 is impossible"),
        (Image.new("F", (4, 4)), "cannot read the PIL image.*floats|its pixels are floats"),
        (None, "a NoneType is no image; give a path"),
        ("zzz.jpg", r"there is no image zzz\.jpg"),
    ],
)
def test_mistakes(image, line):
    with pytest.raises(UserError, match=line):
        pixels_of(image)
