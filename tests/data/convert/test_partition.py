import random
import re

import pytest

from tradeoffs.data.convert.partition import partition
from tradeoffs.errors import UserError

PHOTOS = [f"photo_{number}.jpg" for number in range(10)]


def test_the_split_is_the_same_everywhere_and_in_any_order():
    train, val = partition(PHOTOS, 0.3, seed=0)
    # by hand: the three with the smallest `printf '0\nphoto_%d.jpg' N | sha256sum`
    assert val == ["photo_1.jpg", "photo_6.jpg", "photo_8.jpg"]
    assert train == [name for name in PHOTOS if name not in val]
    shuffled = random.Random(1).sample(PHOTOS, len(PHOTOS))
    assert partition(shuffled, 0.3, seed=0) == (train, val)
    assert partition(PHOTOS, 0.3, seed=1)[1] != val


def test_another_photo_moves_no_other_from_validation_to_training_when_the_number_grows():
    val = partition(PHOTOS, 0.3, seed=0)[1]
    more = partition([*PHOTOS, "photo_10.jpg"], 0.4, seed=0)[1]
    assert set(val) < set(more)


def test_accents_draw_the_same_lot_however_they_are_spelled():
    for seed in range(8):
        composed, decomposed = (partition([*PHOTOS, name], 0.5, seed)[1] for name in ("caf\u00e9", "cafe\u0301"))
        assert composed[1:] == decomposed[1:] and composed[0][:3] == decomposed[0][:3]


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.2, 2), (0.99, 9)])
def test_each_side_has_a_photo(share: float, count: int):
    train, val = partition(PHOTOS, share, 0)
    assert (len(train), len(val)) == (10 - count, count)


def test_groups_are_not_divided():
    names = [f"patient{patient}_{view}.png" for patient in range(12) for view in range(patient % 4 + 1)]
    train, val = partition(names, 0.25, 0, r"^(patient\d+)_")
    patients = [{name.split("_")[0] for name in side} for side in (train, val)]
    assert not patients[0] & patients[1]
    assert len(train) + len(val) == len(names) == 30
    assert 5 <= len(val) <= 10


def test_groups_larger_than_the_share():
    names = ["a_1", "b_1", "b_2", "b_3", "b_4", "b_5"]
    assert partition(names, 0.05, 0, "^(.)_")[1] == ["a_1"]
    assert partition(names, 0.95, 0, "^(.)_")[1] == ["b_1", "b_2", "b_3", "b_4", "b_5"]


@pytest.mark.parametrize(
    ("names", "val", "group", "line"),
    [
        (PHOTOS, 1.5, None, "--val 1.5 is impossible; give the share"),
        (PHOTOS, float("nan"), None, "--val nan is impossible"),
        (PHOTOS[:1], 0.5, None, "1 photos cannot be split"),
        (PHOTOS, 0.5, "^(photo)", "10 photos in 1 groups of --group '^(photo)' cannot be split"),
        (PHOTOS, 0.5, "(", "--group '(' is no regular expression"),
        (PHOTOS, 0.5, "photo", "has 0 groups; one is needed"),
        (PHOTOS, 0.5, "photo_([5-9])", "finds nothing in 5 of 10 names, the first is photo_0.jpg; widen it"),
    ],
)
def test_impossible_splits(names: list[str], val: float, group: str | None, line: str):
    with pytest.raises(UserError, match=re.escape(line)):
        partition(names, val, 0, group)
