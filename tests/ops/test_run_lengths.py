import torch
from pycocotools import mask as rle

from tradeoffs.ops.masks import paste
from tradeoffs.ops.run_lengths import decoded, run_lengths, segments
from tradeoffs.structures import Batch, Instances, Targets

BOXES = torch.tensor([[0.0, 0, 9, 7], [3, 1, 5, 6.5], [8, 8, 20, 20]])


def test_codes_are_those_of_the_pasted_masks():
    masks = torch.rand(3, 14, 14, generator=torch.Generator().manual_seed(0))
    codes = run_lengths(masks, BOXES, (7, 9))
    (whole,) = paste(masks, BOXES, (7, 9))
    assert [code["size"] for code in codes] == [[7, 9]] * 3
    assert torch.equal(torch.stack(list(decoded(codes))).bool(), whole)
    assert rle.area(codes).tolist() == whole.sum(dim=(1, 2)).tolist() and int(rle.area(codes[2])) == 0


def test_masks_lie_where_they_lay_in_the_original_images():
    """Twice as large, 4 pixels further to the right; an image is less wide than the network's input."""
    found = Instances(
        torch.tensor([[[4.0, 0, 12, 8], [0, 0, 0, 0]]]),
        torch.ones(1, 2),
        torch.zeros(1, 2, dtype=torch.int64),
        torch.tensor([[True, False]]),
        torch.ones(1, 2, 4, 4),
    )
    batch = Batch(
        images=torch.zeros(1, 3, 8, 16, dtype=torch.uint8),
        targets=Targets(),
        geometry=torch.tensor([[2.0, 2, 4, 0]]),
        original_sizes=torch.tensor([[4, 3]]),
        image_ids=torch.tensor([1]),
        addresses=torch.zeros(1, 3, dtype=torch.int64),
    )
    ((code,),) = segments(found, batch, found.valid)
    assert code["size"] == [4, 3] and int(rle.area(code)) == 12
