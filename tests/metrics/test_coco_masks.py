"""The metric of masks against values worked out by hand and against pycocotools."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from pycocotools import mask as rle
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tradeoffs.errors import UserError
from tradeoffs.metrics.boundary import border
from tradeoffs.metrics.coco_masks import MaskMetric
from tradeoffs.metrics.matches import Matches
from tradeoffs.structures import Detections

SIDE, CATEGORY_IDS = 100, [2, 7]
BOX = (10, 10, 60, 60)


def code(*box: int, hole: tuple[int, int, int, int] | None = None) -> dict:
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    mask[box[1] : box[3], box[0] : box[2]] = 1
    if hole:
        mask[hole[1] : hole[3], hole[0] : hole[2]] = 0
    return coded(mask)


def coded(mask: np.ndarray) -> dict:
    found = rle.encode(np.asfortranarray(mask))
    return {**found, "counts": found["counts"].decode()}


def truth(*objects: tuple[int, int, dict, bool], num_images: int = 1) -> dict:
    """Image id, label, mask, crowd."""
    annotations = [
        {
            "id": number,
            "image_id": image_id,
            "category_id": CATEGORY_IDS[label],
            "segmentation": mask,
            "bbox": rle.toBbox(mask).tolist(),
            "area": int(rle.area(mask)),
            "iscrowd": int(crowd),
        }
        for number, (image_id, label, mask, crowd) in enumerate(objects, 1)
    ]
    images = [{"id": number, "width": SIDE, "height": SIDE} for number in range(1, num_images + 1)]
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": number, "name": f"class {number}"} for number in CATEGORY_IDS],
    }


def shown(ground_truth: dict, *images: list[tuple[int, float, dict]], **options) -> MaskMetric:
    """Each image a list of (label, score, mask); padded with a row that must never be read."""
    metric = MaskMetric(ground_truth, CATEGORY_IDS, **options)
    for number, found in enumerate(images, 1):
        boxes = [rle.toBbox(mask) for _, _, mask in found]
        boxes = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in boxes] + [[math.nan] * 4])[None]
        scores = torch.tensor([[score for _, score, _ in found] + [math.nan]])
        labels = torch.tensor([[label for label, _, _ in found] + [99]])
        valid = torch.tensor([[True] * len(found) + [False]])
        detections = Detections(boxes, scores, labels, valid)
        metric.update(torch.tensor([number]), detections, [mask["counts"] for _, _, mask in found])
    return metric


def test_masks_and_boxes_are_scored_apart():
    """The box is right; of the mask, half is missing."""
    half = code(*BOX, hole=(10, 10, 60, 34))
    scores = shown(truth((1, 0, code(*BOX), False)), [(0, 0.9, half)]).compute()
    assert scores.summary["mask_AP50"] == pytest.approx(1) and scores.summary["mask_mAP"] == pytest.approx(0.1)
    assert math.isnan(scores.summary["boundary_mAP"])
    ring = code(*BOX, hole=(11, 11, 59, 59))
    scores = shown(truth((1, 0, code(*BOX), False)), [(0, 0.9, ring)]).compute()
    assert (scores.summary["mask_mAP"], scores.summary["box_mAP"]) == (0, pytest.approx(1))
    assert (scores.per_class[0]["AP"], scores.per_class[0]["box_AP"]) == (0, pytest.approx(1))


def random_case(seed: int, num_images: int = 12) -> tuple[dict, list[list[tuple]]]:
    """Blobs that overlap, crowds, found more or less, images without any."""
    generator = np.random.default_rng(seed)

    def blob() -> np.ndarray:
        y, x = np.mgrid[:SIDE, :SIDE]
        middle, radius = generator.uniform(0, SIDE, 2), np.exp(generator.uniform(0, 3.8, 2))
        return (((x - middle[0]) / radius[0]) ** 2 + ((y - middle[1]) / radius[1]) ** 2 <= 1).astype(np.uint8)

    objects, images = [], []
    for number in range(1, num_images + 1):
        masks = [mask for mask in (blob() for _ in range(generator.integers(0, 5))) if mask.any()]
        own = [(number, int(generator.integers(2)), mask, bool(generator.random() < 0.15)) for mask in masks]
        objects += [(*first, coded(mask), crowd) for *first, mask, crowd in own]
        moved = [(label, np.roll(mask, generator.integers(-3, 4, 2), (0, 1))) for _, label, mask, _ in own]
        moved += [(0, mask) for mask in [blob()] if mask.any()]
        images.append([(label, float(generator.random()), coded(mask)) for label, mask in moved])
    return truth(*objects, num_images=num_images), images


def test_scores_are_pycocotools():
    ground_truth, images = random_case(3)
    metric = shown(ground_truth, *images)
    ours = metric.compute().summary
    for kind, name in (("segm", "mask"), ("bbox", "box")):
        with contextlib.redirect_stdout(io.StringIO()):
            known = COCO()
            known.dataset = ground_truth
            known.createIndex()
            results = [{key: value for key, value in each.items() if key != "bbox"} for each in metric.predictions()]
            if kind == "bbox":
                results = [{**each, "bbox": rle.toBbox(each.pop("segmentation")).tolist()} for each in results]
            evaluation = COCOeval(known, known.loadRes(results), kind)
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        names = ("mAP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large", "AR1", "AR10", "AR100")
        expected = np.where(evaluation.stats == -1, np.nan, evaluation.stats)[: len(names)]
        mine = [ours.get(f"{name}_{each}", value) for each, value in zip(names, expected, strict=True)]
        np.testing.assert_allclose(mine, expected, atol=1e-9)
    assert 0.1 < ours["mask_mAP"] < 0.95 and ours["mask_mAP"] != ours["box_mAP"]


def test_evidence_is_of_masks_and_survives_its_file(tmp_path):
    ground_truth, images = random_case(4)
    metric = shown(ground_truth, *images)
    summary = metric.compute().summary
    metric.evidence().save(tmp_path / "matches.npz")
    scores = Matches.load(tmp_path / "matches.npz").score()
    assert scores == pytest.approx({name: summary[name] for name in ("mask_mAP", "mask_AP50", "mask_AP75")})


def test_an_image_that_two_processes_saw_counts_once():
    ground_truth, images = random_case(5)
    metric, again = shown(ground_truth, *images), shown(ground_truth, *images)
    again._parts += shown(ground_truth, *images[:4])._parts
    assert again.predictions() == metric.predictions()
    assert again.compute().summary == pytest.approx(metric.compute().summary, nan_ok=True)


def test_borders_by_hand():
    """2 % of the diagonal of 141 pixels are 3 pixels; the image's border is one of the mask, too."""
    found = rle.decode(border(code(0, 0, 50, 40)))
    expected = np.zeros((SIDE, SIDE), np.uint8)
    expected[:40, :50] = 1
    expected[3:37, 3:47] = 0
    np.testing.assert_array_equal(found, expected)


def test_borders_tell_what_masks_do_not():
    """A square that is found one pixel too large: most of the mask is right, but of its border half."""
    grown = [(0, 0.9, code(9, 9, 61, 61))]
    summary = shown(truth((1, 0, code(*BOX), False)), grown, boundaries=True).compute().summary
    assert summary["mask_mAP"] == pytest.approx(0.9)  # 50^2 of 52^2 pixels are 0.925
    rims, both = (50**2 - 44**2, 52**2 - 46**2), 50**2 - 46**2
    assert both / (sum(rims) - both) == 0.5 and summary["boundary_mAP"] == pytest.approx(0.1)
    exact = shown(truth((1, 0, code(*BOX), False)), [(0, 0.9, code(*BOX))], boundaries=True).compute().summary
    assert exact["boundary_mAP"] == pytest.approx(1)


def test_touching_and_nested_objects_are_objects_of_their_own():
    left, right = code(0, 0, 50, 40), code(50, 0, 100, 40)
    inner, outer = code(40, 60, 60, 80), code(20, 50, 80, 95, hole=(40, 60, 60, 80))
    found = [(0, 0.9, left), (0, 0.8, right), (0, 0.7, inner), (0, 0.6, outer)]
    scores = shown(truth(*((1, 0, mask, False) for _, _, mask in found)), found).compute()
    assert scores.summary["mask_mAP"] == pytest.approx(1)
    joined = [(0, 0.9, code(0, 0, 100, 40)), *found[2:]]
    scores = shown(truth(*((1, 0, mask, False) for _, _, mask in found)), joined).compute()
    assert scores.summary["mask_AR100"] == pytest.approx(0.5 + 0.25 * 0.1)  # half of it is one of the two


def test_polygons_and_uncompressed_codes_are_read():
    polygon = [[10, 10, 60, 10, 60, 60, 10, 60]]
    ground_truth = truth((1, 0, code(*BOX), False))
    for segmentation in (polygon, {"size": [SIDE, SIDE], "counts": rle_counts(BOX)}):
        ground_truth["annotations"][0]["segmentation"] = segmentation
        assert shown(ground_truth, [(0, 0.9, code(*BOX))]).compute().summary["mask_mAP"] == pytest.approx(1)


def rle_counts(box: tuple[int, int, int, int]) -> list[int]:
    """Runs of zeros and ones down the columns."""
    height, first = box[3] - box[1], box[0] * SIDE + box[1]
    columns = [height, SIDE - height] * (box[2] - box[0])
    return [first, *columns[:-1], SIDE * SIDE - first - sum(columns[:-1])]


def test_an_object_without_a_mask_is_refused():
    ground_truth = truth((1, 0, code(*BOX), False))
    ground_truth["annotations"][0].pop("segmentation")
    with pytest.raises(UserError, match="image 1 has an object without segmentation"):
        MaskMetric(ground_truth, CATEGORY_IDS)
