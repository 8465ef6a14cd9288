"""What a network says of pixels is drawn, written and given in those of the original image."""

from pathlib import Path

import torch
from torch import Tensor, nn

from tradeoffs.commands.detections_file import coco_content
from tradeoffs.data.resize import Resize
from tradeoffs.inference.predictor import Predictor
from tradeoffs.ops.run_lengths import decoded
from tradeoffs.structures import Instances


class LeftHalf(nn.Module):
    """One object, whose box is the left half of the input, and whose mask the upper half of that; and an unsure one."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def predict(self, images: Tensor) -> Instances:
        count, side = len(images), images.shape[-1]
        masks = torch.zeros(count, 2, 28, 28)
        masks[:, :, :14] = 1
        return Instances(
            boxes=torch.tensor([[0.0, 0, side / 2, side]] * 2).repeat(count, 1, 1),
            scores=torch.tensor([0.9, 0.1]).repeat(count, 1),
            labels=torch.tensor([1, 0]).repeat(count, 1),
            valid=torch.ones(count, 2, dtype=torch.bool),
            masks=masks,
        )


def test_masks_come_in_pixels_of_the_image():
    predictor = Predictor(LeftHalf(), Resize("letterbox", 64), ["cat", "dog"], [3, 7], min_score=0.5)
    image = torch.zeros(3, 100, 200, dtype=torch.uint8)  # the upper quarter of the letterbox is no image
    found = predictor(image)
    assert found.names == ["dog"] and found.masks.shape == (1, 100, 200)
    rows, columns = found.masks[0].nonzero().unbind(dim=1)
    assert rows.min() == 0 and abs(int(rows.max()) - 50) <= 4  # the box reaches 50 pixels over each edge
    assert columns.min() <= 1 and abs(int(columns.max()) - 100) <= 4
    content = coco_content([found], predictor.class_names, predictor.category_ids, {found.name: Path("x.jpg")})
    (annotation,) = content["annotations"]
    assert annotation["area"] == int(found.masks.sum()) and annotation["bbox"] == [0, 0, 100, 100]
    assert torch.equal(next(decoded([annotation["segmentation"]])), found.masks[0])
    drawn = found.drawn()
    assert (drawn[:, 60, 60] > 0).any() and not drawn[:, 200, 120].any()  # within the mask, and below it


def test_where_nothing_is_found_there_are_no_masks():
    found = Predictor(LeftHalf(), Resize("warp", 64), ["cat", "dog"], [3, 7], min_score=1.0)(
        torch.zeros(3, 40, 50, dtype=torch.uint8)
    )
    assert len(found) == 0 and found.segments == [] and found.masks.shape == (0, 40, 50)
