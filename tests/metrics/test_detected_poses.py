"""Which person a detection is, by hand; the scores themselves are those of `test_poses`."""

import numpy as np
import pytest
import torch
from small_poses import BOXES, FIRST, IMAGE_IDS, NAMES, SECOND, SKELETON, THIRD, found, people, shifted, truth_dict

from tradeoffs.data.skeleton import sigmas_of
from tradeoffs.errors import UserError
from tradeoffs.metrics.detected_poses import DetectedPoseMetric
from tradeoffs.structures import Batch, DetectedPoses, Targets

FAR = [300.0, 300, 340, 340]


def metric() -> DetectedPoseMetric:
    truth = people(FIRST, SECOND, THIRD)
    return DetectedPoseMetric(truth_dict(truth), SKELETON, truth, IMAGE_IDS, sigmas_of(NAMES))


def batch(*image_ids: int, scale: float = 1.0) -> Batch:
    count = len(image_ids)
    return Batch(
        images=torch.zeros(count, 3, 8, 8, dtype=torch.uint8),
        targets=Targets(),
        geometry=torch.tensor([[scale, scale, 0.0, 0.0]]).repeat(count, 1),
        original_sizes=torch.full((count, 2), 400),
        image_ids=torch.tensor(image_ids),
        addresses=torch.zeros(count, 3, dtype=torch.int64),
    )


def detected(*rows: tuple) -> DetectedPoses:
    """Of one image: box, score and joints of each; an empty row at the end, as in padding."""
    boxes, scores, joints = (
        ([*column, column[0]] for column in zip(*rows, strict=True)) if rows else ([FAR], [0.9], [FIRST])
    )
    return DetectedPoses(
        boxes=torch.tensor(boxes, dtype=torch.float32)[None],
        scores=torch.tensor(scores)[None],
        labels=torch.zeros(1, len(scores), dtype=torch.int64),
        valid=(torch.arange(len(scores)) < len(rows))[None],
        keypoints=found(*joints)[None],
    )


def test_boxes_of_higher_score_choose_first():
    """A worse pose in a better box is the first person; the second box of that person is nobody's."""
    scored = metric()
    worse = shifted(FIRST, 11, 11, 0, 0)
    scored.update(batch(30), detected((BOXES[0], 0.9, worse), (BOXES[0], 0.8, FIRST), (BOXES[1], 0.3, SECOND)))
    scores = scored.compute()
    assert scores.summary["pck"] == pytest.approx(5 / 7) and scores.num_people == 2
    assert [each["score"] for each in scored.predictions()] == pytest.approx([0.9, 0.8, 0.3])


def test_who_is_not_found_has_all_joints_wrong():
    """And a right pose in a box that overlaps the person's by less than half is not that person's."""
    scored = metric()
    scored.update(batch(30), detected((BOXES[0], 0.9, FIRST), (FAR, 0.8, SECOND)))
    assert scored.compute().summary["pck"] == pytest.approx(4 / 7)
    nobody = metric()
    nobody.update(batch(30), detected())
    scores = nobody.compute()
    assert scores.summary["pck"] == 0 and scores.summary["oks_ap"] == 0 and nobody.predictions() == []
    assert nobody.evidence().below.sum() == 7


def test_images_count_once_and_in_their_own_pixels():
    scored = metric()
    halved = [[[x / 2, y / 2, v] for x, y, v in person] for person in (FIRST, SECOND)]
    boxes = (np.array(BOXES) / 2).tolist()
    rows = detected((boxes[0], 0.9, halved[0]), (boxes[1], 0.8, halved[1]))
    for _ in range(2):
        scored.update(batch(30, scale=0.5), rows)
    assert scored.compute().summary["pck"] == 1 and len(scored.predictions()) == 2
    assert scored.predictions()[0]["keypoints"][:3] == pytest.approx([30, 40, 0.8])


def test_only_seen_leaves_out_images_that_nobody_looked_at():
    scored = metric()
    scored.update(batch(20), detected())
    with pytest.raises(UserError, match="no joint to score"):  # the person there has no torso
        scored.compute(only_seen=True)
    scored.update(batch(30), detected((BOXES[1], 0.8, SECOND)))
    assert scored.compute(only_seen=True).summary["pck"] == pytest.approx(3 / 7)


def test_no_numbers_are_refused():
    with pytest.raises(UserError, match="a joint is not finite"):
        metric().update(batch(30), detected((BOXES[0], float("nan"), FIRST)))
