import pytest

from tradeoffs.ops.keypoints import flip_pairs, side_of, swapped, torso


@pytest.mark.parametrize(
    "pair",
    [
        ("left_ankle", "right_ankle"),
        ("L ankle", "R ankle"),
        ("l_ankle", "r_ankle"),
        ("Left Ankle", "Right Ankle"),
        ("leftAnkle", "rightAnkle"),
        ("LAnkle", "RAnkle"),
        ("ankle-l", "ankle-r"),
        ("leftankle", "rightankle"),
        ("LEFT_ANKLE", "RIGHT_ANKLE"),
    ],
)
def test_a_side_however_it_is_written(pair):
    left, right = pair
    assert side_of(left) == ("left", "ankle") and side_of(right) == ("right", "ankle")
    assert flip_pairs([right, "nose", left]) == [(2, 0)]


def test_joints_without_a_side_or_a_partner_stay():
    names = ["upper_neck", "left_eye", "head", "right_knee", "lower_lip", "right_eye"]
    assert [side_of(name) for name in ("upper_neck", "lower_lip", "relay")] == [None, None, None]
    assert flip_pairs(names) == [(1, 5)]
    assert swapped(names) == [0, 5, 2, 3, 4, 1]


def test_parts_of_one_side_are_told_apart():
    assert flip_pairs(["left_eye_inner", "left_eye_outer", "right_eye_outer", "right_eye_inner"]) == [(0, 3), (1, 2)]


def test_the_torso():
    assert torso(["R hip", "R shoulder", "L shoulder", "L hip"]) == (3, 1)
    assert torso(["right_shoulder", "left_foot"]) is None
