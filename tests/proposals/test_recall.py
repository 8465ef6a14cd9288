"""Recall of regions: by hand, against pycocotools, and what must hold for any."""

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tradeoffs.proposals.recall import (
    THRESHOLDS,
    average_recall,
    best_overlaps,
    mean_average_best_overlap,
    recalls,
)

OBJECTS = torch.tensor([[0.0, 0, 10, 10], [20, 20, 30, 40]])
REGIONS = torch.tensor([[0.0, 0, 10, 5], [50, 50, 60, 60], [0, 0, 10, 8], [20, 20, 30, 39]])


def test_best_overlaps_by_hand():
    best = best_overlaps(OBJECTS, REGIONS, (1, 2, 3, 4, 100))
    assert best.tolist() == [[0.5, 0.5, 0.8, 0.8, 0.8], [0, 0, 0, 0.95, 0.95]]


def test_recall_by_hand():
    best = best_overlaps(OBJECTS, REGIONS, (1, 4))
    assert THRESHOLDS[4] == 0.7
    assert recalls(best, (0.5, 0.7, 0.95)).tolist() == [[0.5, 0, 0], [1, 1, 0.5]]
    assert average_recall(best).tolist() == pytest.approx([0.05, (7 + 10) / 20])


def test_mabo_is_a_mean_of_classes():
    best = torch.tensor([[0.2], [0.4], [0.9]], dtype=torch.float64)
    assert mean_average_best_overlap(best, torch.tensor([3, 3, 7])).tolist() == pytest.approx([(0.3 + 0.9) / 2])


def test_without_regions_or_objects():
    assert best_overlaps(OBJECTS, torch.zeros(0, 4), (1, 10)).tolist() == [[0, 0], [0, 0]]
    assert best_overlaps(torch.zeros(0, 4), REGIONS, (1, 10)).shape == (0, 2)


def test_more_regions_never_find_less():
    rng = torch.Generator().manual_seed(0)
    start = torch.rand(60, 2, generator=rng) * 50
    boxes = torch.cat([start, start + 5 + 40 * torch.rand(60, 2, generator=rng)], dim=1)
    best = best_overlaps(boxes[:20], boxes[20:], tuple(range(1, 45)))
    assert (best.diff(dim=1) >= 0).all() and (recalls(best).diff(dim=1) <= 0).all()
    slow = [[max(one_iou(a, b) for b in boxes[20 : 20 + n]) for n in (1, 7, 40)] for a in boxes[:20]]
    np.testing.assert_allclose(best[:, [0, 6, 39]], slow, atol=1e-6)


def one_iou(a: torch.Tensor, b: torch.Tensor) -> float:
    width, height = (torch.minimum(a[2:], b[2:]) - torch.maximum(a[:2], b[:2])).clamp(min=0).tolist()
    areas = [float((box[2:] - box[:2]).prod()) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def official_recall(objects: list[torch.Tensor], regions: list[torch.Tensor], count: int) -> np.ndarray:
    """By pycocotools, whatever the classes: one recall for each threshold."""
    truth, found = [], []
    for image, (boxes, proposed) in enumerate(zip(objects, regions, strict=True), 1):
        for box in xywh(boxes):
            same = {"image_id": image, "category_id": 1 + len(truth) % 2, "iscrowd": 0, "area": box[2] * box[3]}
            truth.append({**same, "id": len(truth) + 1, "bbox": box})
        for rank, box in enumerate(xywh(proposed)):
            found.append({"image_id": image, "category_id": 1, "bbox": box, "score": 1 - rank / 1e4})
    images = [{"id": image, "width": 1000, "height": 1000} for image in range(1, len(objects) + 1)]
    coco = COCO()
    coco.dataset = {"images": images, "annotations": truth, "categories": [{"id": 1}, {"id": 2}]}
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(found), "bbox")
    evaluation.params.useCats, evaluation.params.maxDets = 0, [count]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation.eval["recall"][:, 0, 0, 0]


def xywh(boxes: torch.Tensor) -> list[list[float]]:
    return torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1).tolist()


@pytest.mark.parametrize("count", [1, 10, 100])
def test_recall_is_that_of_pycocotools(count):
    """Objects lie apart, so that no region could be the best one of two."""
    rng = torch.Generator().manual_seed(1)
    objects, regions = [], []
    for number in (6, 9, 1):
        start = 100 * torch.arange(number)[:, None].float().repeat(1, 2)
        objects.append(torch.cat([start, start + 64], dim=1).round())
        moved = objects[-1].repeat(12, 1) + (torch.rand(12 * number, 4, generator=rng) * 24 - 12).round()
        regions.append(moved[torch.randperm(len(moved), generator=rng)])
    best = torch.cat([best_overlaps(*pair, (count,)) for pair in zip(objects, regions, strict=True)])
    official = official_recall(objects, regions, count)
    np.testing.assert_array_equal(recalls(best)[0], official)
    assert float(average_recall(best)) == pytest.approx(official.mean()) and 0 < official.mean() < 1


def test_two_objects_in_one_place_need_one_region_here_and_two_for_coco():
    objects = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    best = best_overlaps(objects, objects[:1], (1,))
    assert float(average_recall(best)) == 1 and official_recall([objects], [objects[:1]], 1).mean() == 0.5
