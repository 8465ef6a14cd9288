import torch

from tradeoffs.pictures.skeletons import LEFT, MIDDLE, RIGHT, draw_skeletons
from tradeoffs.structures import Skeleton

SKELETON = Skeleton(["left_hand", "right_hand", "head", "left_foot"], [(0, 2), (1, 2), (0, 1), (0, 3)], 1, "person")
JOINTS = torch.tensor([[[10.0, 30, 2], [50, 30, 2], [30, 10, 1], [10, 55, 0]]])


def colour_at(picture: torch.Tensor, x: int, y: int) -> tuple[int, ...]:
    return tuple(picture[:, y, x].tolist())


def test_joints_and_limbs_have_the_colour_of_their_side():
    black = torch.zeros(3, 64, 64, dtype=torch.uint8)
    drawn = draw_skeletons(black, JOINTS, SKELETON)
    assert [colour_at(drawn, *at) for at in ((10, 30), (50, 30), (30, 10))] == [LEFT, RIGHT, MIDDLE]
    assert colour_at(drawn, 20, 20) == LEFT and colour_at(drawn, 40, 20) == RIGHT and colour_at(drawn, 30, 30) == MIDDLE
    assert not drawn[:, 40:].any()  # neither an unlabelled joint nor the limb to it
    assert not black.any()


def test_joints_that_score_little_are_left_out_and_the_picture_is_enlarged():
    black = torch.zeros(3, 64, 64, dtype=torch.uint8)
    drawn = draw_skeletons(black, JOINTS, SKELETON, scale=2, least=1.5)
    assert drawn.shape == (3, 128, 128) and colour_at(drawn, 60, 20) == (0, 0, 0)
    assert colour_at(drawn, 20, 60) == LEFT and colour_at(drawn, 60, 60) == MIDDLE


def test_nobody_and_joints_beyond_the_picture():
    black = torch.zeros(3, 32, 32, dtype=torch.uint8)
    assert not draw_skeletons(black, torch.zeros(0, 4, 3), SKELETON).any()
    assert draw_skeletons(black, JOINTS * 1000, SKELETON).shape == (3, 32, 32)
