"""Images worked out by hand. Boxes are squares of 10 pixels, moved: by 2 the IoU is 0.67, by 4 it is 0.43."""

import numpy as np
import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.metrics.confusion import Confusion, confusion, greedy
from tradeoffs.structures import Detections

CLASSES = ["cat", "dog"]
CAT, DOG = 0, 1


def object_at(x: float, label: int, image: int = 0, crowd: int = 0, width: float = 10) -> dict:
    return {"image_id": image, "bbox": [x, 0, width, 10], "category_id": label, "iscrowd": crowd}


def found_at(x: float, label: int, score: float, image: int = 0) -> list[float]:
    return [image, x, 0, 10, 10, score, label]


def matrix(objects: list[dict], found: list[list[float]], images: tuple[int, ...] = (0,), threshold: float = 0.5):
    rows = np.array(found, float).reshape(-1, 7)
    return confusion(objects, rows, np.array(images), CLASSES, threshold).matrix


def test_an_image_by_hand():
    objects = [object_at(0, CAT), object_at(20, CAT), object_at(40, DOG), object_at(60, DOG), object_at(80, DOG)]
    found = [
        found_at(2, CAT, 0.9),  # right
        found_at(20, DOG, 0.8),  # a cat taken for a dog
        found_at(40, DOG, 0.5),  # right, at the threshold itself
        found_at(64, DOG, 0.9),  # beside its object
        found_at(80, DOG, 0.4),  # too unsure
    ]
    assert matrix(objects, found) == [[1, 1, 0], [0, 1, 2], [0, 1, 0]]


def test_the_highest_score_chooses_first_whatever_its_class():
    wrong_first = [found_at(0, CAT, 0.6), found_at(1, DOG, 0.7)]
    assert matrix([object_at(0, CAT)], wrong_first) == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]
    # It takes what it overlaps most, and leaves the rest to the others.
    objects = [object_at(0, CAT), object_at(3, DOG)]
    assert matrix(objects, [found_at(2, DOG, 0.9), found_at(2, CAT, 0.8)]) == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_an_object_is_found_once():
    twice = [found_at(0, CAT, 0.9), found_at(1, CAT, 0.8)]
    assert matrix([object_at(0, CAT)], twice) == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_crowd_regions_do_not_count():
    crowd = object_at(0, CAT, crowd=1, width=100)
    inside = [found_at(50, CAT, 0.9), found_at(95, CAT, 0.9), found_at(96, CAT, 0.9), found_at(50, DOG, 0.9)]
    assert matrix([crowd], inside) == [[0, 0, 0], [0, 0, 0], [1, 1, 0]]  # less than half inside, and another class
    assert matrix([crowd, object_at(50, CAT)], inside[:1]) == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_images_are_apart_and_those_left_out_do_not_count():
    objects = [object_at(0, CAT, image=0), object_at(0, DOG, image=1), object_at(0, DOG, image=2)]
    found = [found_at(0, DOG, 0.9, image=1), found_at(0, CAT, 0.9, image=2)]
    assert matrix(objects, found, images=(0, 1)) == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_without_objects_or_detections():
    nothing = [[0, 0, 0]] * 3
    assert matrix([], []) == nothing
    assert matrix([], [found_at(0, DOG, 0.9)]) == [*nothing[:2], [0, 1, 0]]
    assert matrix([object_at(0, DOG)], []) == [nothing[0], [0, 0, 1], nothing[0]]


@pytest.mark.parametrize("seed", range(3))
def test_rounds_keep_what_one_after_the_other_would(seed):
    rng = np.random.default_rng(seed)
    first, second = np.sort(rng.integers(0, 30, 200)), rng.integers(0, 20, 200)
    expected, taken = [], (set(), set())
    for one, other in zip(first.tolist(), second.tolist(), strict=True):
        if one not in taken[0] and other not in taken[1]:
            expected.append((one, other))
            taken[0].add(one), taken[1].add(other)
    assert sorted(zip(*map(np.ndarray.tolist, greedy(first, second)), strict=True)) == expected


def test_of_the_metric_with_ids_of_its_own(tmp_path):
    truth = {
        "images": [{"id": 2**60 + 1}, {"id": 5}],
        "categories": [{"id": 9, "name": "cat"}, {"id": 4, "name": "dog"}],
        "annotations": [
            {**object_at(0, 9, image=2**60 + 1), "id": 1},
            {**object_at(0, 4, image=5), "id": 2},
        ],
    }
    metric = CocoMetric(truth, category_ids=[9, 4])
    found = Detections(
        boxes=torch.tensor([[[0.0, 0, 10, 10]]]),
        labels=torch.tensor([[0]]),
        scores=torch.tensor([[0.75]]),
        valid=torch.tensor([[True]]),
    )
    metric.update(torch.tensor([2**60 + 1]), found)
    whole, part = metric.confusion(0.75), metric.confusion(0.75, only_seen=True)
    assert whole.classes == ["dog", "cat"]  # by id, as the table of classes is
    assert whole.matrix == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert part.matrix == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    assert metric.evidence(only_seen=True).objects.tolist() == [[0], [1]]
    part.save(tmp_path / "confusion.json")
    assert Confusion.load(tmp_path / "confusion.json") == part


@pytest.mark.parametrize("content", [None, "{", "[]", '{"threshold": 0.5, "classes": ["a"], "matrix": [[1]]}'])
def test_a_damaged_file_is_said(tmp_path, content):
    path = tmp_path / "confusion.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match="cannot be read"):
        Confusion.load(path)
