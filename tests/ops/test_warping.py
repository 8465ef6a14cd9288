"""Regions warped to one size, against Pillow on crops made by hand, which rounds rows and columns."""

import pytest
import torch
from PIL import Image
from torch.testing import assert_close
from torchvision.transforms.functional import pil_to_tensor, to_pil_image

from tradeoffs.ops.warping import enlarge, warp

HEIGHT, WIDTH, FAR = 60, 80, 100


def image() -> torch.Tensor:
    return torch.randint(0, 256, (3, HEIGHT, WIDTH), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def by_hand(box: tuple[float, ...], size: int, filter: int) -> torch.Tensor:
    """On a large black canvas, so that there is something beyond the image."""
    canvas = Image.new("RGB", (WIDTH + 2 * FAR, HEIGHT + 2 * FAR))
    canvas.paste(to_pil_image(image()), (FAR, FAR))
    return pil_to_tensor(canvas.resize((size, size), filter, box=tuple(FAR + side for side in box))).float()


def ours(box: tuple[float, ...], size: int) -> torch.Tensor:
    return warp(image()[None].float(), torch.tensor([box], dtype=torch.float32), torch.tensor([0]), size)[0]


@pytest.mark.parametrize(
    "box",
    [(10.0, 8, 38, 36), (10, 8, 66, 50), (-16, -20, 68, 8), (70, 50, 98, 134), (0, 0, 56, 28)],
    ids=["as it is", "shrunk", "over the corner", "over the other corner", "at the border"],
)
def test_what_is_shrunk_is_averaged_and_beyond_the_image_is_nothing(box):
    assert_close(ours(box, 14), by_hand(box, 14, Image.Resampling.BOX), atol=1.01, rtol=0)


@pytest.mark.parametrize("box", [(10.0, 8, 20, 14), (-6, -2, 8, 9), (76, 55, 86, 65)])
def test_what_is_enlarged_is_bilinear_also_across_the_border(box):
    assert_close(ours(box, 40), by_hand(box, 40, Image.Resampling.BILINEAR), atol=1.01, rtol=0)


def test_context_has_the_same_pixels_on_all_sides_after_warping():
    """24 of 28 pixels are a region of 48 x 12, so a pixel is 2 x 0.5 and the context of two of them 4 x 1."""
    assert_close(enlarge(torch.tensor([10.0, 20, 58, 32]), 28, 2), torch.tensor([6.0, 19, 62, 33]))


def test_boxes_are_of_their_images():
    images = torch.stack([torch.full((1, 8, 8), value) for value in (1.0, 2.0)])
    boxes = torch.tensor([[1.0, 1, 5, 5]]).repeat(3, 1)
    assert_close(warp(images, boxes, torch.tensor([1, 0, 1]), 2).mean(dim=(1, 2, 3)), torch.tensor([2.0, 1, 2]))
