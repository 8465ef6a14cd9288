"""PCK by hand, OKS as pycocotools has it."""

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from small_poses import FIRST, IMAGE_IDS, NAMES, SECOND, SKELETON, THIRD, found, people, shifted, truth_dict

from tradeoffs.data.people import People
from tradeoffs.data.skeleton import COCO_SIGMAS, MEAN_SIGMA, sigmas_of
from tradeoffs.errors import UserError
from tradeoffs.metrics.mistakes import mistakes
from tradeoffs.metrics.poses import PoseMetric
from tradeoffs.structures import Skeleton


def metric(samples: People | None = None, length: str = "auto", **changes) -> PoseMetric:
    truth = people(FIRST, SECOND, THIRD, **changes)
    return PoseMetric(truth_dict(truth), SKELETON, truth, samples or truth, IMAGE_IDS, sigmas_of(NAMES), length)


def test_pck_of_the_torso_by_hand():
    """Ten pixels are still right, eleven are not; who has no torso counts nowhere."""
    scored = metric()
    scored.update(torch.tensor([1, 0]), found(SECOND, shifted(FIRST, 10, 11, 0, 0)))
    scores = scored.compute()
    assert scores.summary["pck"] == pytest.approx(6 / 7) and np.isnan(scores.summary["pckh"])
    assert (scores.num_images, scores.num_people, scores.pck_length) == (1, 2, "torso")
    assert [(row["name"], row["PCK"], row["instances"]) for row in scores.per_class] == [
        *(("left_hip", 1.0, 2), ("right_shoulder", 0.5, 2), ("left_foot", 1.0, 1), ("head", 1.0, 2)),
    ]
    evidence = scored.evidence()
    assert evidence.image_ids.tolist() == [30] and evidence.names == ["pck"]
    assert mistakes(evidence).words(30) == "1 joints wrong"


def test_pck_of_the_box_counts_all_people():
    """Longer sides of 90, 40 and 20 pixels: 18, 8 and 4 are right."""
    scored = metric(length="box")
    poses = found(shifted(FIRST, 18, 19, 0, 0), shifted(SECOND, 8, 9, 99, 0), shifted(THIRD, 99, 4, 5, 99))
    scored.update(torch.arange(3), poses)
    assert scored.compute().summary["pck"] == pytest.approx((3 + 2 + 1) / 9)
    assert scored.evidence().image_ids.tolist() == [20, 30]  # ordered by id, as all evidence
    assert scored.evidence().above.tolist() == [[1, 5]]


def test_pckh_where_heads_are_known():
    scored = metric(heads=10.0)
    scored.update(torch.arange(3), found(shifted(FIRST, 5, 6, 0, 0), SECOND, THIRD))
    assert scored.compute().summary["pckh"] == pytest.approx(8 / 9)


def test_people_that_no_box_is_of_have_all_joints_wrong():
    samples = people(SECOND, THIRD, images=(0, 1), truth=(1, -1))
    scored = metric(samples)
    scored.update(torch.arange(2), found(SECOND, THIRD))
    assert scored.compute().summary["pck"] == pytest.approx(3 / 7)
    assert scored.evidence(only_seen=True).below.sum() == 7


def test_only_seen_leaves_out_who_was_not_asked_for():
    scored = metric()
    scored.update(torch.tensor([1]), found(SECOND))
    assert scored.compute(only_seen=True).summary["pck"] == 1
    assert scored.compute().summary["pck"] == pytest.approx(3 / 7)


def test_a_person_counts_once_and_results_are_cocos():
    scored = metric(people(FIRST, SECOND, THIRD, scores=0.5))
    for _ in range(2):
        scored.update(torch.tensor([2, 0]), found(THIRD, FIRST))
    first, third = scored.predictions()
    assert (first["image_id"], first["category_id"], third["image_id"]) == (30, 5, 20)
    assert first["keypoints"][:6] == pytest.approx([30, 40, 0.8, 0, 0, 0.8]) and first["score"] == pytest.approx(0.4)


def test_no_numbers_and_no_torso_are_refused():
    with pytest.raises(UserError, match="a joint is not finite"):
        metric().update(torch.tensor([0]), found(FIRST) * torch.nan)
    truth = people(THIRD)
    with pytest.raises(UserError, match="no person has a labelled torso; take task"):
        PoseMetric(truth_dict(truth), SKELETON, truth, truth, IMAGE_IDS, sigmas_of(NAMES))
    other = Skeleton(["nose", "tail", "ear", "paw"], [], 5, "cat")
    with pytest.raises(UserError, match="needs joints called left_hip and right_shoulder"):
        PoseMetric(truth_dict(truth), other, truth, truth, IMAGE_IDS, sigmas_of(NAMES), "torso")


@pytest.mark.parametrize("names", [list(COCO_SIGMAS), [*NAMES, "tail"]])
def test_oks_equals_pycocotools(names):
    """Forty people in twenty images, some joints unlabelled, poses off by up to eight pixels or so."""
    rng, count = np.random.default_rng(0), 40
    joints = np.concatenate(
        [rng.uniform(0, 100, (count, len(names), 2)), rng.integers(0, 3, (count, len(names), 1))], 2
    )
    ids = [100 - number for number in range(20)]
    images = np.arange(count) % 20
    ones = np.ones(count)
    boxes = np.tile(np.float32([0, 0, 50, 50]), (count, 1))
    truth = People(images, boxes, ones, joints.astype(np.float32), ones * np.nan, np.arange(count))
    skeleton, sigmas = Skeleton(names, [], 5, "person"), sigmas_of(names)
    assert sigmas == (list(COCO_SIGMAS.values()) if len(names) == 17 else [MEAN_SIGMA] * 5)
    content = truth_dict(truth, ids, names)
    ours = PoseMetric(content, skeleton, truth, truth, ids, sigmas, "box")
    off = rng.normal(size=joints[..., :2].shape) * rng.uniform(0, 8, (count, 1, 1))
    poses = np.concatenate([joints[..., :2] + off, rng.uniform(size=(count, len(names), 1))], axis=2)
    ours.update(torch.arange(count), torch.tensor(poses))
    summary = ours.compute().summary
    index = COCO()
    index.dataset = content
    index.createIndex()
    results = [
        {"image_id": ids[image], "category_id": 5, "keypoints": pose.ravel().tolist(), "score": pose[:, 2].mean()}
        for image, pose in zip(images, poses, strict=True)
    ]
    evaluation = COCOeval(index, index.loadRes(results), "keypoints")
    evaluation.params.kpt_oks_sigmas = np.array(sigmas)
    evaluation.params.catIds = [5]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert 0.05 < summary["oks_ap"] < 0.95
    names = ("oks_ap", "oks_ap50", "oks_ap75", "oks_ar")
    assert [summary[name] for name in names] == pytest.approx(evaluation.stats[[0, 1, 2, 5]].tolist(), abs=1e-9)
