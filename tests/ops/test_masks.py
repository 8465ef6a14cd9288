import pytest
import torch

from tradeoffs.ops.masks import pack, unpack


def test_eight_pixels_are_a_byte():
    assert pack(torch.tensor([[1, 0, 0, 0, 0, 0, 1, 1, 1]], dtype=torch.uint8)).tolist() == [[0b10000011, 0b10000000]]


@pytest.mark.parametrize("width", [1, 7, 8, 9, 300])
def test_nothing_is_lost(width):
    masks = torch.randint(0, 2, (2, 3, 5, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(width))
    packed = pack(masks)
    assert packed.shape == (2, 3, 5, -(-width // 8)) and torch.equal(unpack(packed, width), masks)
