import pytest
import torch
from torchvision.ops import nms as torchvision_nms

from tradeoffs.models.detection.postprocess import candidates, decoded, detect, rank_in_group
from tradeoffs.ops import nms
from tradeoffs.ops.boxes import clip

SIZE = (100, 120)
OPTIONS = {"score_threshold": 0.05, "nms_threshold": 0.5, "max_detections": 10}


def crowd(images: int, count: int, spread: float = 80.0) -> torch.Tensor:
    """Boxes of 10 to 40 px, many of which overlap; smaller numbers for `spread` make it narrower."""
    corners = spread * torch.rand(images, count, 2)
    return torch.cat([corners, corners + 10 + 30 * torch.rand(images, count, 2)], dim=-1)


def greedy(scores, boxes, group_of, most, min_side=0.0):
    """One image, box by box: the (score, label, reference) of what is found."""
    rows = [(score, k, a) for a, row in enumerate(scores.tolist()) for k, score in enumerate(row)]
    rows = sorted((row for row in rows if row[0] > OPTIONS["score_threshold"]), reverse=True)
    taken, allowed = {}, []
    for row in rows:
        group = group_of(row)
        taken[group] = taken.get(group, 0) + 1
        if most is None or taken[group] <= most:
            allowed.append(row)
    allowed = [row for row in allowed if (boxes[row[2], 2:] - boxes[row[2], :2]).min() >= min_side]
    found = []
    for label in range(scores.shape[1]):
        own = [row for row in allowed if row[1] == label]
        if own:
            places = torchvision_nms(
                boxes[[row[2] for row in own]], torch.tensor([row[0] for row in own]), OPTIONS["nms_threshold"]
            )
            found += [own[i] for i in places.tolist()]
    return sorted(found, reverse=True)[: OPTIONS["max_detections"]]


def check(found, scores, boxes, group_of, most, min_side=0.0):
    boxes = clip(boxes, SIZE)
    for i in range(len(scores)):
        expected, valid = greedy(scores[i], boxes[i], group_of, most, min_side), found.valid[i]
        assert found.labels[i][valid].tolist() == [label for _, label, _ in expected]
        assert found.scores[i][valid].tolist() == [score for score, _, _ in expected]
        assert torch.equal(found.boxes[i][valid], boxes[i][[reference for _, _, reference in expected]])


@pytest.fixture
def compared(monkeypatch) -> list[int]:
    """How many boxes each call of the suppression is given."""
    rows = []

    def spy(a, b):
        rows.append(b.shape[1])
        return iou(a, b)

    iou = nms.iou
    monkeypatch.setattr(nms, "iou", spy)
    return rows


@pytest.mark.parametrize("most", [None, 3, 1000])
@pytest.mark.parametrize("scale", [0.06, 1.0])
def test_it_is_the_greedy_algorithm_class_by_class(most, scale):
    """With few candidates and with many."""
    torch.manual_seed(0)
    scores, boxes = scale * torch.rand(3, 60, 4), crowd(3, 60)
    found = detect(scores, decoded(boxes), SIZE, max_per_class=most, **OPTIONS)
    check(found, scores, boxes, lambda row: row[1], most)


def test_small_boxes_take_a_place_but_no_part():
    torch.manual_seed(0)
    scores, boxes = torch.rand(2, 60, 2), crowd(2, 60)
    found = detect(scores, decoded(boxes), SIZE, max_per_class=20, min_side=20.0, **OPTIONS)
    check(found, scores, boxes, lambda row: row[1], 20, min_side=20.0)


@pytest.mark.parametrize("images", [1, 3])
def test_a_flood_compares_no_more_than_the_limits_leave(images, compared):
    """One image has 3000 candidates, nearly all on one spot of the first of two levels; the others have a few."""
    torch.manual_seed(0)
    levels = torch.tensor([0] * 700 + [1] * 50)
    scores, boxes = torch.zeros(images, 750, 4), crowd(images, 750, spread=2.0)
    scores[0] = 0.1 + 0.9 * torch.rand(750, 4)
    scores[1:, :5] = torch.rand(images - 1, 5, 4)
    found = detect(scores, decoded(boxes), SIZE, levels=levels, max_per_level=40, **OPTIONS)
    check(found, scores, boxes, lambda row: int(levels[row[2]]), 40)
    assert max(compared) <= 2 * 40


def test_a_flood_of_one_class_is_bounded_too(compared):
    torch.manual_seed(0)
    scores, boxes = torch.zeros(1, 900, 3), crowd(1, 900, spread=2.0)
    scores[..., 1] = 0.1 + 0.9 * torch.rand(1, 900)
    found = detect(scores, decoded(boxes), SIZE, max_per_class=30, **OPTIONS)
    check(found, scores, boxes, lambda row: row[1], 30)
    assert max(compared) <= 30


def test_nothing_is_found_in_what_is_not_a_number():
    boxes = crowd(2, 8)
    nothing = torch.full((2, 8, 3), torch.nan)
    assert not detect(nothing, decoded(boxes), SIZE, max_per_class=4, **OPTIONS).valid.any()
    found = detect(torch.ones(2, 8, 3), decoded(boxes * torch.nan), SIZE, max_per_class=4, **OPTIONS)
    assert not found.valid.any()


def test_candidates_by_hand():
    values, index = candidates(torch.tensor([[0.5, 0.1, 0.9], [0.0, 0.0, 0.3]]), 0.2)
    assert index.tolist() == [[0, 2], [2, 0]]
    assert values[1, 1] == -torch.inf and values[0].tolist() == pytest.approx([0.5, 0.9])


def test_rank_in_group_by_hand():
    group = torch.tensor([[5, 2, 5, 5, 2, 0], [1, 1, 1, 1, 1, 1]])
    assert rank_in_group(group).tolist() == [[0, 0, 1, 2, 1, 0], [0, 1, 2, 3, 4, 5]]
