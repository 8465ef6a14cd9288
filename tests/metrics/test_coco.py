"""The COCO metric against values worked out by hand and against pycocotools.

Run as a script, this file is one process of the distributed test.
"""

import contextlib
import copy
import io
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tradeoffs.errors import UserError
from tradeoffs.metrics import official
from tradeoffs.metrics.coco import CocoMetric, CocoScores
from tradeoffs.metrics.curves import best_f1
from tradeoffs.structures import Detections

CATEGORY_IDS = [2, 3, 7, 11]  # with gaps; nothing is of class 11
BOX = (0, 0, 10, 10)
ELSEWHERE = (50, 50, 60, 60)


def truth(*objects, num_images=1) -> dict:
    """`objects`: image id, label, xyxy, crowd."""
    annotations = [
        {"id": i, "image_id": image_id, "category_id": CATEGORY_IDS[label], "bbox": to_xywh(box), "iscrowd": int(crowd)}
        for i, (image_id, label, box, crowd) in enumerate(objects)
    ]
    for annotation in annotations:
        annotation["area"] = annotation["bbox"][2] * annotation["bbox"][3]
    images = [{"id": i, "width": 640, "height": 480} for i in range(1, num_images + 1)]
    categories = [{"id": i, "name": f"class {i}"} for i in CATEGORY_IDS]
    return {"images": images, "annotations": annotations, "categories": categories}


def to_xywh(box) -> list[float]:
    x1, y1, x2, y2 = map(float, box)
    return [x1, y1, x2 - x1, y2 - y1]


def detections(*images) -> Detections:
    """Each image a list of (label, score, xyxy); padded with rows that must never be read."""
    rows = max(map(len, images), default=0) + 1
    boxes = torch.full((len(images), rows, 4), math.nan, dtype=torch.float64)
    scores = torch.full((len(images), rows), math.nan, dtype=torch.float64)
    labels = torch.full((len(images), rows), 99)
    valid = torch.zeros(len(images), rows, dtype=torch.bool)
    for i, image in enumerate(images):
        for j, (label, score, box) in enumerate(image):
            boxes[i, j], scores[i, j] = torch.tensor(box, dtype=torch.float64), score
            labels[i, j], valid[i, j] = label, True
    return Detections(boxes, scores, labels, valid)


def score(ground_truth: dict, *images) -> CocoScores:
    """Scores of detections in the images 1, 2, ..."""
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.arange(1, len(images) + 1), detections(*images))
    return metric.compute()


def random_case(seed: int, num_images: int = 40) -> tuple[dict, list[list[tuple]]]:
    """Objects of all sizes, crowds, images without objects or detections, tied scores, a class with no object."""
    generator = np.random.default_rng(seed)

    def random_box():
        corner, size = generator.uniform(0, 300, 2), np.exp(generator.uniform(1, 5.5, 2))
        return np.concatenate([corner, corner + size])

    def nearby(label, box):
        moved = box + generator.normal(0, 0.05, 4) * np.tile(box[2:] - box[:2], 2)
        return (label if generator.random() < 0.8 else 3), moved

    objects, images = [], []
    for image_id in range(1, num_images + 1):
        mine = [
            (image_id, int(generator.integers(3)), random_box(), generator.random() < 0.15)
            for _ in range(generator.poisson(5))
        ]
        objects += mine
        near = [nearby(label, box) for _, label, box, _ in mine * 2]
        far = [(int(generator.integers(4)), random_box()) for _ in range(generator.poisson(4))]
        found = near + far if generator.random() < 0.9 else []
        images.append([(label, round(generator.random(), 2), box.tolist()) for label, box in found])
    return truth(*objects, num_images=num_images), images


def with_pycocotools(
    ground_truth: dict, results: list[dict], image_ids: list[int] | None = None, most: int = 100
) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        index = COCO()
        index.dataset = copy.deepcopy(ground_truth)
        for annotation in index.dataset["annotations"]:
            annotation["id"] += 1  # it takes a match with number 0 for no match
        index.createIndex()
        evaluation = COCOeval(index, index.loadRes(copy.deepcopy(results)), "bbox")
        evaluation.params.imgIds = image_ids or evaluation.params.imgIds
        evaluation.params.maxDets = [1, 10, most]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def to_results(images: list[list[tuple]]) -> list[dict]:
    return [
        {"image_id": image_id, "category_id": CATEGORY_IDS[label], "bbox": to_xywh(box), "score": score}
        for image_id, image in enumerate(images, start=1)
        for label, score, box in image
    ]


def assert_same_summary(scores: CocoScores, evaluation: COCOeval) -> None:
    expected = np.where(evaluation.stats == -1, np.nan, evaluation.stats)
    np.testing.assert_allclose(list(scores.summary.values()), expected, rtol=0, atol=1e-9)


def test_one_object_with_a_false_positive_above_it():
    """IoU 0.78 counts at 0.50, 0.55, ..., 0.75: six of ten thresholds; precision is 1/2 at every recall."""
    scores = score(truth((1, 0, BOX, False)), [(0, 0.9, ELSEWHERE), (0, 0.8, (0, 0, 10, 7.8))])
    expected = {"mAP": 0.3, "AP50": 0.5, "AP75": 0.5, "AP_small": 0.3, "AR1": 0.0, "AR10": 0.6, "AR100": 0.6}
    assert {name: scores.summary[name] for name in expected} == pytest.approx(expected)
    assert math.isnan(scores.summary["AP_medium"])
    assert math.isnan(scores.summary["AR_large"])
    assert (scores.num_images, scores.num_detections) == (1, 2)


def test_per_class_rows():
    ground_truth = truth((1, 0, BOX, False), (1, 0, ELSEWHERE, True), (1, 1, BOX, False))
    scores = score(ground_truth, [(0, 0.9, BOX)])
    assert [(row["id"], row["name"], row["instances"]) for row in scores.per_class] == [
        *((2, "class 2", 1), (3, "class 3", 1), (7, "class 7", 0), (11, "class 11", 0)),
    ]
    aps = [row["AP"] for row in scores.per_class]
    assert aps[:2] == pytest.approx([1, 0])
    assert all(map(math.isnan, aps[2:]))
    assert scores.summary["mAP"] == pytest.approx(0.5)


def test_detection_in_a_crowd_is_neither_right_nor_wrong():
    crowd, inside = (100, 100, 200, 200), (120, 120, 140, 140)
    scores = score(truth((1, 0, BOX, False), (1, 0, crowd, True)), [(0, 0.9, inside), (0, 0.8, BOX)])
    assert scores.summary["mAP"] == pytest.approx(1)


def test_no_detections_at_all():
    scores = score(truth((1, 0, BOX, False), num_images=2), [], [])
    assert scores.summary["mAP"] == 0
    assert scores.summary["AR100"] == 0
    assert scores.num_detections == 0


def test_no_objects_at_all():
    assert all(map(math.isnan, score(truth(), [(0, 0.9, BOX)]).summary.values()))


SHIFTED = (5, 0, 15, 10)  # IoU 1/3 with BOX


@pytest.mark.parametrize(
    ("kind", "objects", "found", "gain"),
    [
        ("Cls", [(0, BOX)], [(1, 0.9, BOX)], 1),
        ("Loc", [(0, BOX)], [(0, 0.9, SHIFTED)], 1),
        # Class 1 rises from 1/2 to 1, class 0 stays at 0.
        ("Both", [(0, BOX), (1, ELSEWHERE)], [(1, 0.9, SHIFTED), (1, 0.8, ELSEWHERE)], 1 / 4),
        # Precision 2/3 at the 50 recalls above 1/2 becomes 1.
        ("Dupe", [(0, BOX), (0, ELSEWHERE)], [(0, 0.9, BOX), (0, 0.8, BOX), (0, 0.7, ELSEWHERE)], 50 / 3 / 101),
        ("Bkg", [(0, BOX)], [(0, 0.9, ELSEWHERE), (0, 0.8, BOX)], 1 / 2),
        ("Miss", [(0, BOX), (0, ELSEWHERE)], [(0, 0.9, BOX)], 50 / 101),
    ],
)
def test_each_kind_of_error(kind, objects, found, gain):
    errors = score(truth(*((1, label, box, False) for label, box in objects)), found).errors
    assert list(errors) == ["Cls", "Loc", "Both", "Dupe", "Bkg", "Miss"]
    assert errors.pop(kind) == pytest.approx(gain)
    assert list(errors.values()) == pytest.approx([0] * 5)


@pytest.mark.parametrize("seed", range(5))
def test_equals_pycocotools(seed):
    ground_truth, images = random_case(seed)
    evaluation = with_pycocotools(ground_truth, to_results(images))
    scores = score(ground_truth, *images)
    assert_same_summary(scores, evaluation)
    assert 0.1 < scores.summary["mAP"] < 0.9
    precision = evaluation.eval["precision"][:, :, :3, 0, -1]
    np.testing.assert_allclose([row["AP"] for row in scores.per_class[:3]], precision.mean((0, 1)), atol=1e-9)
    np.testing.assert_allclose([row["AP50"] for row in scores.per_class[:3]], precision[0].mean(0), atol=1e-9)


def test_equals_pycocotools_on_real_annotations(real_data):
    ground_truth = json.loads((real_data / "coco/annotations/instances_val2017.json").read_text())
    category_ids = sorted(category["id"] for category in ground_truth["categories"])
    generator = np.random.default_rng(0)
    results = []
    for annotation in ground_truth["annotations"] * 2:
        x, y, w, h = annotation["bbox"]
        box = np.array([x, y, w, h]) + generator.normal(0, 0.1, 4) * [w, h, w, h]
        right = generator.random() < 0.8
        category_id = annotation["category_id"] if right else int(generator.choice(category_ids))
        score = float(generator.random())
        results.append(
            {"image_id": annotation["image_id"], "category_id": category_id, "bbox": box.tolist(), "score": score}
        )

    metric = CocoMetric(ground_truth, category_ids)
    for image in ground_truth["images"]:
        mine = [result for result in results if result["image_id"] == image["id"]]
        boxes = np.array([result["bbox"] for result in mine]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        labels = [category_ids.index(result["category_id"]) for result in mine]
        found = zip(labels, [result["score"] for result in mine], boxes.tolist(), strict=True)
        metric.update(torch.tensor([image["id"]]), detections(list(found)))
    assert_same_summary(metric.compute(), with_pycocotools(ground_truth, results))


def test_only_seen_images():
    ground_truth, images = random_case(5)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.arange(1, 11), detections(*images[:10]))
    results = to_results(images[:10])
    seen, all_images = metric.compute(only_seen=True), metric.compute()
    assert_same_summary(seen, with_pycocotools(ground_truth, results, list(range(1, 11))))
    assert_same_summary(all_images, with_pycocotools(ground_truth, results))
    assert (seen.num_images, all_images.num_images) == (10, 40)


def test_written_results_score_the_same():
    ground_truth, images = random_case(6)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.arange(1, 41), detections(*images))
    results = json.loads(json.dumps(metric.predictions()))
    assert len(results) == sum(map(len, images))
    assert all(coordinate == round(coordinate, 3) for result in results for coordinate in result["bbox"])
    assert_same_summary(metric.compute(), with_pycocotools(ground_truth, results))


@pytest.fixture
def without_hotcoco(monkeypatch):
    monkeypatch.setitem(sys.modules, "hotcoco", None)
    official.load_library.cache_clear()
    yield
    official.load_library.cache_clear()


def test_without_hotcoco_pycocotools_steps_in(without_hotcoco):
    ground_truth, images = random_case(7)
    with pytest.warns(UserWarning, match="hotcoco cannot be imported") as warned:
        scores = score(ground_truth, *images)
        nothing = score(ground_truth, [])
    assert len(warned) == 1
    assert_same_summary(scores, with_pycocotools(ground_truth, to_results(images)))
    assert scores.errors == {}
    assert nothing.summary["mAP"] == 0
    json.dumps(scores.to_dict(), allow_nan=False)


def test_an_image_counts_once_and_reset_forgets():
    ground_truth, images = random_case(8)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.tensor([1]), detections([(0, 1.0, ELSEWHERE)]))
    metric.reset()
    metric.update(torch.arange(1, 41), detections(*images))
    metric.update(torch.tensor([3, 3]), detections([(0, 1.0, ELSEWHERE)], []))
    assert_same_summary(metric.compute(), with_pycocotools(ground_truth, to_results(images)))


def test_prints_nothing_and_leaves_the_ground_truth_alone(capfd):
    ground_truth, images = random_case(9)
    before = copy.deepcopy(ground_truth)
    score(ground_truth, *images)
    assert capfd.readouterr() == ("", "")
    assert ground_truth == before


def many_objects(count: int) -> tuple[dict, list[tuple]]:
    """One image, and detections that find all its objects, in rows of twenty."""
    boxes = [(20 * (k % 20), 20 * (k // 20), 20 * (k % 20) + 12, 20 * (k // 20) + 12) for k in range(count)]
    return truth(*((1, 0, box, False) for box in boxes)), [(0, 1 - k / 1000, box) for k, box in enumerate(boxes)]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("most", "found"), [(100, 100), (150, 150), (300, 150)])
def test_more_than_100_detections_count_where_that_is_asked(most, found):
    """Recall 2/3 with a precision of 1: 67 of COCO's 101 recalls are reached."""
    ground_truth, detected = many_objects(150)
    metric = CocoMetric(ground_truth, CATEGORY_IDS, max_detections=most)
    metric.update(torch.tensor([1]), detections(detected))
    scores = metric.compute()
    assert scores.max_detections == most and list(scores.summary)[8] == f"AR{most}"
    assert scores.summary[f"AR{most}"] == pytest.approx(found / 150)
    assert scores.summary["mAP"] == pytest.approx(67 / 101 if most == 100 else 1)
    assert scores.per_class[0]["AP"] == pytest.approx(scores.summary["mAP"])
    assert metric.evidence().true[0].sum() == found


def test_the_best_f1_is_known_after_scoring_small_splits(monkeypatch):
    ground_truth, images = random_case(3)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.arange(1, 41), detections(*images))
    assert metric.quick_best_f1() is None
    metric.compute()
    assert metric.quick_best_f1() == best_f1(metric.evidence()) is not None
    monkeypatch.setattr("tradeoffs.metrics.coco.FEW_CELLS", 40 * len(CATEGORY_IDS) - 1)
    metric.compute()
    assert metric.quick_best_f1() is None


@pytest.mark.parametrize("seed", range(2))
def test_with_another_number_of_detections_as_pycocotools_sums_up(seed):
    ground_truth, images = random_case(seed)
    metric = CocoMetric(ground_truth, CATEGORY_IDS, max_detections=12)
    metric.update(torch.arange(1, 41), detections(*images))
    evaluation = with_pycocotools(ground_truth, to_results(images), most=12)
    summary = metric.compute().summary
    precision = evaluation.eval["precision"][..., 0, -1]
    expected = np.where(evaluation.stats == -1, np.nan, evaluation.stats)
    expected[0] = precision[precision > -1].mean()  # pycocotools has this one for 100 detections alone
    np.testing.assert_allclose(list(summary.values()), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("first", [2**53, 2**63 - 41])
def test_ids_are_exact_up_to_64_bits(first):
    ground_truth, images = random_case(11)
    small = score(ground_truth, *images)
    large = copy.deepcopy(ground_truth)
    for entry in large["images"]:
        entry["id"] += first
    for entry in large["annotations"]:
        entry["image_id"] += first
        entry["category_id"] += first
    for entry in large["categories"]:
        entry["id"] += first
    metric = CocoMetric(large, [first + id for id in CATEGORY_IDS])
    metric.update(torch.arange(1, 41) + first, detections(*images))
    scores, results, matches = metric.compute(), metric.predictions(), metric.evidence()
    assert scores.summary == pytest.approx(small.summary, nan_ok=True)
    assert [row["id"] - first for row in scores.per_class] == CATEGORY_IDS
    expected = to_results(images)
    assert {(result["image_id"] - first, result["category_id"] - first) for result in results} == {
        (result["image_id"], result["category_id"]) for result in expected
    }
    assert (matches.image_ids - first).tolist() == list(range(1, 41))
    assert (matches.class_ids - first).tolist() == CATEGORY_IDS
    json.dumps(results)


@pytest.mark.parametrize("area", [None, 0, -1, math.nan, math.inf, 1e9, "large"])
def test_an_area_that_is_none_is_the_boxs(area):
    ground_truth = truth((1, 0, (5, 5, 135, 135), False))
    ground_truth["annotations"][0]["area"] = area
    summary = score(ground_truth, [(0, 0.9, (5, 5, 135, 135))]).summary
    assert summary["AP_large"] == pytest.approx(1) and math.isnan(summary["AP_small"])


def test_scores_as_json():
    scores = score(truth((1, 0, BOX, False)), [(0, 0.9, BOX)])
    plain = json.loads(json.dumps(scores.to_dict(), allow_nan=False))
    assert plain["summary"]["AP50"] == pytest.approx(1)
    assert plain["summary"]["AP_large"] is None
    assert plain["per_class"][3] == {"id": 11, "name": "class 11", "AP": None, "AP50": None, "instances": 0}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((0, math.nan, BOX), "image 2 is not finite"),
        ((0, math.inf, BOX), "image 2 is not finite"),
        ((0, 0.5, (0, math.nan, 5, 5)), "image 2 is not finite"),
    ],
)
def test_refuses_what_is_not_finite(found, message):
    with pytest.raises(UserError, match=message):
        score(truth(num_images=2), [(0, 0.5, BOX)], [found])


@pytest.mark.parametrize("label", [-1, 4])
def test_refuses_labels_without_category(label):
    with pytest.raises(IndexError):
        score(truth(), [(label, 0.5, BOX)])


def test_refuses_what_cannot_be_scored():
    with pytest.raises(UserError, match="image 2 was predicted"):
        score(truth(num_images=1), [], [])
    with pytest.raises(UserError, match="no image to score"):
        CocoMetric(truth(), CATEGORY_IDS).compute(only_seen=True)


def run_rank(rank: int, folder: Path) -> None:
    """Images 1-12 on rank 0, 13-40 on rank 1, which repeats image 1 with other detections."""
    torch.distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    ground_truth, images = random_case(10)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    if rank == 0:
        metric.update(torch.arange(1, 13), detections(*images[:12]))
    else:
        metric.update(torch.arange(13, 41), detections(*images[12:]))
        metric.update(torch.tensor([1]), detections([(0, 1.0, ELSEWHERE)]))
    found = {"scores": metric.compute().to_dict(), "results": metric.predictions()}
    (folder / f"{rank}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()


def test_two_processes_score_like_one(tmp_path):
    commands = [[sys.executable, __file__, str(rank), str(tmp_path)] for rank in range(2)]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))

    ground_truth, images = random_case(10)
    metric = CocoMetric(ground_truth, CATEGORY_IDS)
    metric.update(torch.arange(1, 41), detections(*images))
    assert first["scores"] == second["scores"] == metric.compute().to_dict()
    assert first["results"] == metric.predictions()
    assert second["results"] == []


if __name__ == "__main__":
    run_rank(int(sys.argv[1]), Path(sys.argv[2]))
