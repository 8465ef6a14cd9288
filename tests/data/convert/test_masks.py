"""Masks that are pictures of object numbers, and pictures that only look like it."""

import io

import numpy as np
import pytest
from convert_sources import write_photo
from PIL import Image, ImageDraw, ImageFilter

FIRST, SECOND = (slice(10, 20), slice(5, 25)), (slice(25, 45), slice(40, 80))  # rows, columns
BOXES = [("person", 5, 10, 25, 20), ("person", 40, 25, 80, 45)]


def numbers(first=1, second=2, dtype=np.uint8, size=(100, 50)):
    mask = np.zeros((size[1], size[0]), dtype)
    mask[FIRST], mask[SECOND] = first, second
    return mask


@pytest.fixture
def folder(tmp_path):
    """Photos with the masks that are given; the first is `p0`."""

    def write(*masks, suffix=".png", **photo):
        root = tmp_path / "set"
        (root / "masks").mkdir(parents=True)
        for number, mask in enumerate(masks * (5 if len(masks) == 1 else 1)):
            write_photo(root / "images" / f"p{number}.png", **photo)
            image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask)
            image.save(root / "masks" / f"p{number}{suffix}")
        return root

    return write


@pytest.mark.parametrize(
    "mask",
    [
        numbers(),
        numbers(7, 254),
        numbers(85, 170),
        numbers(100, 255),
        numbers(255, 256, np.uint16),
        numbers(24001, 65535, np.uint16),
        Image.fromarray(numbers()).convert("RGB"),
        Image.fromarray(numbers()).convert("RGBA"),
        Image.fromarray(numbers()).convert("LA"),
    ],
)
def test_each_number_is_an_object_exactly(convert, folder, mask):
    converted = convert("masks", folder(mask))
    assert converted.boxes("train")["p0.png"] == BOXES and len(converted.lines) == 2


@pytest.mark.parametrize("suffix", [".bmp", ".tif", ".tiff"])
def test_other_lossless_files(convert, folder, suffix):
    dtype = np.uint8 if suffix == ".bmp" else np.uint16
    assert convert("masks", folder(numbers(3, 254, dtype), suffix=suffix)).boxes("train")["p0.png"] == BOXES


def test_255_beside_small_numbers_is_the_border(convert, folder):
    mask = numbers()
    mask[9:21, 4] = mask[24:46, 39] = 255
    converted = convert("masks", folder(mask))
    assert converted.boxes("train")["p0.png"] == BOXES
    assert converted.lines[0] == (
        "masks whose number 255 was taken for the border, not for an object: 5 (first: p0.png)"
    )


@pytest.mark.parametrize("number", [1, 255])
def test_one_number_for_all_objects_needs_a_word(convert, refusal, folder, number):
    root = folder(numbers(number, number))
    error = refusal("masks", root)
    assert f"all masks have the one number {number}, 5 of them in several pieces, the first is p0.png with 2" in error
    assert "--pieces apart" in error and "--pieces together" in error and error.count("\n") == 1
    apart = convert("masks", root, "--pieces", "apart")
    assert apart.boxes("train")["p0.png"] == BOXES
    assert apart.lines[0] == f"masks of the one number {number}: each piece was taken for one object"
    together = convert("masks", root, "--pieces", "together")
    assert together.boxes("train")["p0.png"] == [("person", 5, 10, 80, 45)]
    assert together.lines[0] == f"masks of the one number {number}: all of a mask was taken for one object"


def test_binary_masks_of_one_piece(convert, folder):
    mask = numbers(0, 1).astype(bool)
    converted = convert("masks", folder(mask))
    assert converted.boxes("train")["p0.png"] == BOXES[1:]
    assert converted.lines[0] == "masks of the one number 1: all of a mask was taken for one object"


def test_an_object_in_two_pieces_is_one_where_others_have_numbers(convert, refusal, folder):
    root = folder(numbers(), numbers(1, 1), numbers(), numbers(), numbers())
    assert "--pieces is for masks of one number; these have 2" in refusal("masks", root, "--pieces", "apart")
    converted = convert("masks", root)
    assert converted.boxes("train")["p1.png"] == [("person", 5, 10, 80, 45)]
    assert converted.lines[0] == "numbers in several pieces, each number taken for one object: 1 (first: p1.png)"


def as_jpeg(mask, quality):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "JPEG", quality=quality)
    return Image.open(file)


def antialiased():
    large = Image.new("L", (400, 200))
    ImageDraw.Draw(large).ellipse((40, 20, 300, 180), fill=255)
    return large.resize((100, 50), Image.Resampling.BOX)


@pytest.mark.parametrize(
    "mask",
    [
        Image.fromarray(numbers(255, 255)).filter(ImageFilter.GaussianBlur(1)),
        Image.fromarray(numbers(255, 255)).filter(ImageFilter.GaussianBlur(3)),
        Image.fromarray(numbers(255, 255)).rotate(10, Image.Resampling.BILINEAR),
        Image.fromarray(numbers(1, 9)).rotate(10, Image.Resampling.BILINEAR),
        Image.fromarray(numbers(60, 120, size=(101, 51))).resize((100, 50), Image.Resampling.BICUBIC),
        as_jpeg(numbers(255, 255), 50),
        as_jpeg(numbers(255, 255), 75),
        as_jpeg(numbers(80, 160), 95),
        antialiased(),
    ],
)
def test_soft_edges_are_no_objects(refusal, folder, mask):
    error = refusal("masks", folder(mask))
    assert "p0.png has soft edges: " in error and "(the first of 5 faults)" in error


@pytest.mark.parametrize(("suffix", "kind"), [(".jpg", "JPEG"), (".jpeg", "JPEG"), (".webp", "WEBP")])
def test_a_jpeg_is_no_mask(refusal, folder, suffix, kind):
    assert f"is a {kind} file, which changes the number of each object; use PNG" in refusal(
        "masks", folder(numbers(), suffix=suffix)
    )


def test_a_jpeg_named_png_is_no_mask(refusal, folder):
    root = folder(numbers())
    Image.fromarray(numbers()).save(root / "masks" / "p0.png", "JPEG")
    assert "p0.png is a JPEG file" in refusal("masks", root)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (
            Image.merge("RGB", [Image.fromarray(numbers(*pair)) for pair in ((1, 2), (0, 2), (1, 0))]),
            "is a RGB picture",
        ),
        (numbers(size=(50, 100))[:, :50], "is of 50 x 100 pixels, its photo"),
        (numbers(size=(200, 100)), "is of 200 x 100 pixels, its photo"),
        (numbers(0, 0), "the masks are empty"),
    ],
)
def test_masks_that_are_none(refusal, folder, mask, message):
    assert message in refusal("masks", folder(mask))


def test_masks_of_several_pages_are_refused(refusal, folder):
    root = folder(numbers(), suffix=".tif")
    pages = [Image.fromarray(numbers(number, 0)) for number in (1, 2)]
    pages[0].save(root / "masks" / "p0.tif", save_all=True, append_images=pages[1:])
    assert "p0.tif has 2 pages; expected one picture" in refusal("masks", root)


def test_a_background_that_is_not_0_is_said(convert, folder):
    converted = convert("masks", folder(255 - numbers(255, 0)))
    line = "masks with an object along most of their border; is it the background, which must be 0?: 5 (first: p0.png)"
    assert converted.lines[0] == line


def test_many_objects_are_encoded_in_parts(convert, folder):
    mask = np.zeros((50, 100), np.uint16)
    mask[::5, ::5] = np.arange(1, 201).reshape(10, 20)
    boxes = convert("masks", folder(mask)).boxes("train")["p0.png"]
    assert boxes == [("person", x, y, x + 1, y + 1) for y in range(0, 50, 5) for x in range(0, 100, 5)]


def test_floats_are_no_numbers_of_objects(refusal, folder):
    assert "p0.tif is a F picture" in refusal("masks", folder(numbers(0.5, 1, np.float32), suffix=".tif"))


def test_masks_of_the_photo_as_it_is_shown(convert, refusal, folder):
    upright = np.zeros((100, 50), np.uint8)
    upright[5:15, 10:30], upright[50:60, 10:20] = 1, 2
    root = folder(upright, orientation=6)
    assert "--exif upright" in refusal("masks", root)
    converted = convert("masks", root, "--exif", "upright")
    assert converted.boxes("train")["p0.png"] == [("person", 5, 20, 15, 40), ("person", 50, 30, 60, 40)]


def test_partners(convert, folder):
    root = folder(numbers())
    (root / "images" / "p0.png").rename(root / "images" / "q.png")
    (root / "masks" / "p0.png").rename(root / "masks" / "q_mask.png")
    Image.fromarray(numbers(0, 0)).save(root / "masks" / "p1.png")
    Image.fromarray(numbers()).save(root / "masks" / "other.png")
    converted = convert("masks", root)
    assert converted.lines[:2] == [
        "masks without a photo, left out: 1 (first: other.png)",
        "masks without an object: 1 (first: p1.png)",
    ]


@pytest.mark.parametrize("copy", ["masks/p0_mask.png", "images/p0.jpg"])
def test_two_of_one_name(refusal, folder, copy):
    root = folder(numbers())
    Image.fromarray(numbers()).save(root / copy)
    assert "p0 has several" in refusal("masks", root)


def test_split_by_chance(convert, refusal, folder):
    root = folder(numbers())
    assert "give one of them" in refusal("masks", root, "--val", "0.4", "--validation-every", "2")
    assert convert("masks", root, "--val", "0.4").lines[0].startswith("split by chance, seed 0: 3 photos")
