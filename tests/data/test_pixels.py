"""One decoder for all files: the same pixels, whatever they are stored as."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from tradeoffs.data.image_check import image_facts
from tradeoffs.data.pixels import image_size, read_pixels, to_rgb
from tradeoffs.errors import UserError

RAMP = np.linspace(0, 65535, 30 * 20).astype(np.uint16).reshape(20, 30)
ORIENTATION = 0x112


def encoded(image, file_format, **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def oriented(number):
    exif = Image.Exif()
    exif[ORIENTATION] = number
    return exif


@pytest.fixture
def stored(tmp_path):
    def write(data):
        path = tmp_path / "photo.any"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(RAMP), "PNG"),
        encoded(Image.fromarray(RAMP), "PNG") + bytes(100),
        encoded(Image.fromarray(RAMP), "TIFF"),
        encoded(Image.fromarray(RAMP), "TIFF", compression="tiff_lzw"),
        cv2.imencode(".pgm", RAMP)[1].tobytes(),
        encoded(Image.fromarray(RAMP), "JPEG2000"),
        *(cv2.imencode(suffix, np.stack([RAMP] * 3, -1))[1].tobytes() for suffix in (".png", ".tiff")),
    ],
    ids=["png", "png and more", "tiff", "lzw", "pgm", "jpeg 2000", "colour png", "colour tiff"],
)
def test_16_bits_become_8_in_one_way(stored, data):
    pixels = read_pixels(stored(data))
    assert (pixels == (RAMP // 256)[:, :, None]).all() and pixels.dtype == np.uint8
    assert image_facts(stored(data), 30, 20).fault is None


def test_16_bits_whose_high_byte_comes_first(stored):
    """A TIFF file written by hand: Pillow writes the other order."""
    fields = [(256, 30), (257, 20), (258, 16), (259, 1), (262, 1), (273, 146), (277, 1), (278, 20), (279, 1200)]
    entries = b"".join(tag.to_bytes(2) + b"\0\3\0\0\0\1" + value.to_bytes(2) + b"\0\0" for tag, value in fields)
    head = b"MM\0\x2a\0\0\0\x08" + len(fields).to_bytes(2) + entries + bytes(4)
    data = head.ljust(146, b"\0") + RAMP.astype(">u2").tobytes()
    path = stored(data)
    assert Image.open(path).mode == "I;16B"
    assert (read_pixels(path) == (RAMP // 256)[:, :, None]).all()


@pytest.mark.parametrize("pixels", [RAMP / np.float32(65535), RAMP.astype(np.int32), RAMP.astype(np.int16)])
def test_pixels_without_a_known_range_are_refused(stored, pixels):
    path = stored(cv2.imencode(".tiff", pixels)[1].tobytes() + b"?")
    what = r"its pixels are .*\(mode [FI]\); save it with 8 or 16 bits a channel"
    for read in (read_pixels, image_size):
        with pytest.raises(UserError, match=rf"cannot read the image .*photo\.any: {what}"):
            read(path)
    with pytest.raises(UserError, match=what):
        to_rgb(Image.open(path))
    assert image_facts(path, 30, 20).fault.startswith("its pixels are")


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("end", [b"", bytes(100)])
def test_what_is_stored_below_transparent_pixels_is_seen(stored, mode, end):
    """By OpenCV as by Pillow, which reads what has other bytes at its end."""
    fill = (200, 100, 50, 0) if mode == "RGBA" else (90, 0)
    expected = (200, 100, 50) if mode == "RGBA" else (90, 90, 90)
    path = stored(encoded(Image.new(mode, (30, 20), fill), "PNG") + end)
    assert (read_pixels(path) == expected).all()


@pytest.mark.parametrize("end", [b"", bytes(100)])
@pytest.mark.filterwarnings("error")
def test_a_palette_with_a_transparent_colour(stored, end):
    image = Image.new("RGBA", (30, 20), (200, 100, 50, 0)).quantize(4)
    assert (read_pixels(stored(encoded(image, "PNG") + end)) == (200, 100, 50)).all()


def test_the_first_frame_is_read(stored):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "blue")]
    for file_format in ("GIF", "TIFF", "PNG", "WEBP"):
        data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:])
        assert (abs(read_pixels(stored(data)).astype(int) - (255, 0, 0)) <= 3).all()


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_orientations_are_followed_only_if_asked(stored, number, file_format):
    pixels = np.kron(np.random.default_rng(0).integers(0, 255, (3, 4), np.uint8), np.ones((16, 16), np.uint8))
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(file_format, {})
    path = stored(encoded(Image.fromarray(pixels), file_format, exif=oriented(number), **options))
    assert image_size(path) == (64, 48, number)
    assert np.abs(read_pixels(path)[..., 0].astype(int) - pixels).max() <= 4
    turned = Image.fromarray(pixels)
    turned.getexif()[ORIENTATION] = number
    expected = np.array(ImageOps.exif_transpose(turned))
    upright = read_pixels(path, upright=True)
    assert upright.shape[1::-1] == image_size(path).upright
    assert np.abs(upright[..., 0].astype(int) - expected).max() <= 4


def test_damaged_exif_data_turn_nothing(stored):
    path = stored(encoded(Image.new("RGB", (30, 20)), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert image_size(path) == (30, 20, 1) and read_pixels(path, upright=True).shape == (20, 30, 3)
