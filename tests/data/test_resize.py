import pytest
import torch
from torchvision.transforms.v2 import functional as F

from tradeoffs.data.resize import MEAN_COLOUR, Resize, Window
from tradeoffs.structures import Batch, Detections, Targets, to_original


def noise(height: int, width: int) -> torch.Tensor:
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("mode", "height", "width", "size", "geometry"),
    [
        ("warp", 100, 200, (60, 60), (0.3, 0.6, 0, 0)),
        ("letterbox", 100, 200, (60, 60), (0.3, 0.3, 0, 15)),
        ("letterbox", 200, 100, (60, 60), (0.3, 0.3, 15, 0)),
        ("shorter_edge", 80, 100, (60, 75), (0.75, 0.75, 0, 0)),
        ("torchvision", 80, 101, (60, 75), (75 / 101, 0.75, 0, 0)),  # rounded down
        ("shorter_edge", 100, 300, (34, 102), (0.34, 0.34, 0, 0)),  # the longer side is limited to 60 * 1024 / 600
        ("letterbox", 70, 99, (60, 60), (60 / 99, 42 / 70, 0, 9)),  # 42.4 pixels high becomes 42: the real ratio counts
    ],
)
def test_size_and_geometry(mode, height, width, size, geometry):
    image, found = Resize(mode, 60)(noise(height, width))
    assert image.shape == (3, *size)
    torch.testing.assert_close(found, torch.tensor(geometry, dtype=torch.float32))


def test_letterbox_shows_the_photo_on_black():
    image = noise(50, 100)
    resized, _ = Resize("letterbox", 60)(image)
    assert torch.equal(resized[:, 15:45], F.resize(image, [30, 60], antialias=True))
    assert resized[:, :15].eq(0).all()
    assert resized[:, 45:].eq(0).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_window_shows_what_expanding_and_cropping_would(mirrored: bool):
    """Without a change of scale, a window equals torchvision's pad, crop and flip, for image, masks and boxes."""
    image, masks = noise(30, 40), (noise(30, 40)[:2] > 100).to(torch.uint8)
    window = Window(-10, -5, 30, 35, mirrored)
    placement = Resize("warp", 40).place(window, 30, 40)

    def reference(planes: torch.Tensor, fill) -> torch.Tensor:
        seen = F.crop(F.pad(planes, [10, 5, 10, 5], fill=fill), top=0, left=0, height=40, width=40)
        return F.horizontal_flip(seen) if mirrored else seen

    assert torch.equal(placement.image(image), reference(image, list(MEAN_COLOUR)))
    assert torch.equal(placement.masks(masks), reference(masks, 0))
    expected = [20, 7, 30, 15] if mirrored else [10, 7, 20, 15]
    assert placement.boxes(torch.tensor([[0.0, 2, 10, 10]])).tolist() == [expected]


def test_boxes_are_cut_where_the_photo_ends():
    placement = Resize("warp", 100).place(Window(10, 10, 60, 60), height=40, width=200)
    boxes = placement.boxes(torch.tensor([[0.0, 0, 20, 20], [30, 30, 90, 90]]))
    assert boxes.tolist() == [[0, 0, 20, 20], [40, 40, 100, 60]]


def test_boxes_lie_on_the_pixels_they_lay_on():
    """A white rectangle in a crop at an odd scale: its box stays within a pixel of it."""
    image = torch.zeros(3, 83, 121, dtype=torch.uint8)
    image[:, 20:50, 33:77] = 255
    placement = Resize("letterbox", 97).place(Window(11, 3, 104, 71, mirrored=True), 83, 121)
    left, top, right, bottom = placement.boxes(torch.tensor([[33.0, 20, 77, 50]]))[0].tolist()
    seen = placement.image(image)[0] > 127
    rows, columns = seen.any(dim=1).nonzero(), seen.any(dim=0).nonzero()
    found = [columns[0].item(), rows[0].item(), columns[-1].item() + 1, rows[-1].item() + 1]
    assert found == pytest.approx([left, top, right, bottom], abs=1)


@pytest.mark.parametrize("mode", ["warp", "letterbox", "shorter_edge"])
def test_boxes_return_to_the_original(mode: str):
    image, geometry = Resize(mode, 60)(noise(37, 91))
    boxes = torch.tensor([[[3.0, 5, 80, 30]]])
    placement = Resize(mode, 60).place(Window(0, 0, 91, 37), 37, 91)
    labels, valid = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.bool)
    moved = Detections(placement.boxes(boxes[0])[None], torch.ones(1, 1), labels, valid)
    batch = Batch(
        image[None],
        Targets(boxes, labels, valid),
        geometry[None],
        torch.tensor([[37, 91]]),
        torch.zeros(1, dtype=torch.int64),
        torch.zeros(1, 3, dtype=torch.int64),
    )
    torch.testing.assert_close(to_original(moved, batch).boxes, boxes)


def test_a_mirror_swaps_left_and_right_keypoints():
    keypoints = torch.tensor([[[10.0, 5, 2], [30, 5, 1], [20, 9, 2], [0, 0, 0]]])
    placement = Resize("warp", 40).place(Window(0, 0, 40, 40, mirrored=True), 40, 40)
    moved = placement.keypoints(keypoints, flip_pairs=[(0, 1)])
    assert moved.tolist() == [[[10, 5, 1], [30, 5, 2], [20, 9, 2], [0, 0, 0]]]


def test_keypoints_outside_the_window_become_unlabelled():
    keypoints = torch.tensor([[[10.0, 5, 2], [30, 5, 1]]])
    placement = Resize("warp", 40).place(Window(0, 0, 20, 20), 40, 40)
    assert placement.keypoints(keypoints, flip_pairs=[(0, 1)]).tolist() == [[[20, 10, 2], [0, 0, 0]]]


def test_the_centre_is_a_square_of_seven_eighths():
    placement = Resize("centre", 28).place(Window(0, 0, 80, 64), 64, 80)
    assert placement.source == (12, 4, 68, 60) and placement.size == (28, 28)
    mirrored = Resize("centre", 28).place(Window(0, 0, 80, 64, mirrored=True), 64, 80)
    assert mirrored.source == placement.source and mirrored.mirrored
    assert Resize("centre", 28).place(Window(10, 10, 40, 30), 64, 80).source == (10, 10, 40, 30)  # a part as it is
