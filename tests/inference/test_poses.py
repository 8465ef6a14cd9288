"""People in images, found by a network that knows one thing: a joint is where it is brightest."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from tradeoffs.data.resize import Resize
from tradeoffs.errors import UserError
from tradeoffs.inference.poses import PosePredictor, boxes_by_name
from tradeoffs.structures import Poses, Skeleton

SKELETON = Skeleton(["hand", "foot"], [(0, 1)], 5, "person")


class BrightestPixels(nn.Module):
    """Of red and of green, with the scores 0.9 and 0.1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[int] = []

    def predict(self, images: torch.Tensor) -> Poses:
        self.seen.append(len(images))
        width = images.shape[-1]
        places = images[:, :2].flatten(2).argmax(dim=-1)
        points = torch.stack([places % width, places // width], dim=-1) + 0.5
        return Poses(torch.cat([points, torch.tensor([[0.9], [0.1]]).expand(len(images), 2, 1)], dim=-1))


@pytest.fixture
def photo() -> torch.Tensor:
    """60 wide and 40 high, with two hands and two feet of three pixels."""
    pixels = torch.zeros(3, 40, 60, dtype=torch.uint8)
    for colour, x, y in ((0, 10, 10), (1, 15, 30), (0, 45, 12), (1, 50, 28)):
        pixels[colour, y - 1 : y + 2, x - 1 : x + 2] = 100 + 2 * x
    return pixels


def predictor(boxes: dict[str, torch.Tensor] | None = None) -> PosePredictor:
    return PosePredictor(BrightestPixels(), Resize("warp", 75), SKELETON, min_score=0.5, batch_size=2, boxes=boxes)


def test_an_image_is_one_person(photo):
    found = predictor()(photo)
    assert found.people.keypoints[0, :, :2].tolist() == pytest.approx(
        torch.tensor([[45.5, 12.5], [50.5, 28.5]]), abs=1.1
    )
    assert found.boxes.tolist() == [[0, 0, 60, 40]] and found.scores.tolist() == pytest.approx([0.5])
    assert str(found) == "image_1: 1 person"
    assert found.drawn(60).shape == (3, 40, 60) and found.drawn(60)[:, 12, 45].tolist() == [255, 255, 255]


def test_people_in_boxes_in_batches_of_the_networks_size(photo):
    model = predictor(
        {"image_1": torch.tensor([[2.0, 2, 25, 38], [35, 2, 58, 38], [2, 2, 25, 38]]), "image_2": torch.zeros(0, 4)}
    )
    first, second = model([photo, photo])
    assert model.network.seen == [2, 1]
    expected = torch.tensor([[[10.5, 10.5], [15.5, 30.5]], [[45.5, 12.5], [50.5, 28.5]]])
    torch.testing.assert_close(first.people.keypoints[:2, :, :2], expected, atol=1.0, rtol=0)
    assert len(second) == 0 and second.people.as_annotations() == [] and str(second) == "image_2: nothing"
    with pytest.raises(UserError, match="image_3: boxes= has no image of this name"):
        model([photo, photo, photo])


def test_as_annotations_and_only_sure_joints_are_drawn(photo):
    found = predictor()(photo)
    (annotation,) = found.people.as_annotations()
    x, y, width, height = annotation["bbox"]
    assert annotation["keypoints"][2::3] == pytest.approx([0.9, 0.1]) and annotation["category_id"] == 5
    assert [x, y, x + width, y + height] == pytest.approx([*annotation["keypoints"][:2], *annotation["keypoints"][3:5]])
    assert torch.equal(found.drawn(60)[:, 26:], photo[:, 26:])  # the foot is not


def test_boxes_of_a_file(tmp_path: Path):
    content = {
        "images": [{"id": 1, "file_name": "a/b.jpg"}, {"id": 2, "file_name": "c.jpg"}],
        "categories": [{"id": 3, "name": "person"}, {"id": 4, "name": "dog"}],
        "annotations": [
            {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5},
            {"image_id": 1, "category_id": 4, "bbox": [1, 2, 3, 4], "score": 0.5},
        ],
    }
    file = tmp_path / "predictions.json"
    file.write_text(json.dumps(content))
    boxes = boxes_by_name(file, "person")
    assert boxes["a/b.jpg"].tolist() == [[1, 2, 4, 6]] and boxes["c.jpg"].shape == (0, 4)
    with pytest.raises(UserError, match="no class called figure"):
        boxes_by_name(file, "figure")
