"""Seconds that COCO's box score takes: ours (batches of detections in, scores out) and pycocotools, in turns.

    python benchmarks/coco_metric.py --images 5000

pycocotools gets its results as a list of dicts, ready made; both parse the ground truth outside the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from numpy import ndarray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.structures import Detections

WIDTH, HEIGHT, CLASSES, BATCH = 640, 480, 80, 16
MATCHED = 0.2  # of the detections are a disturbed copy of an object, the others lie anywhere


def random_boxes(generator: np.random.Generator, count: int) -> ndarray:
    """Boxes (x, y, width, height) with sides from 8 to 300 pixels, evenly spread on a logarithmic scale."""
    size = np.exp(generator.uniform(np.log(8), np.log(300), (count, 2)))
    return np.hstack([generator.random((count, 2)) * ([WIDTH, HEIGHT] - size), size])


def make_ground_truth(generator: np.random.Generator, num_images: int) -> dict:
    image_ids = np.repeat(np.arange(1, num_images + 1), generator.poisson(7.3, num_images))
    boxes = random_boxes(generator, len(image_ids))
    labels = generator.integers(1, CLASSES + 1, len(image_ids))
    crowd = generator.random(len(image_ids)) < 0.01
    columns = zip(image_ids.tolist(), labels.tolist(), boxes.tolist(), crowd.tolist(), strict=True)
    annotations = [
        {"id": i, "image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": int(crowd)}
        for i, (image, label, box, crowd) in enumerate(columns, start=1)
    ]
    images = [{"id": i, "width": WIDTH, "height": HEIGHT} for i in range(1, num_images + 1)]
    categories = [{"id": i, "name": f"class {i}"} for i in range(1, CLASSES + 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def make_detections(generator: np.random.Generator, ground_truth: dict, per_image: int) -> Detections:
    num_images = len(ground_truth["images"])
    owner = np.repeat(np.arange(num_images), per_image)
    boxes, labels = random_boxes(generator, len(owner)), generator.integers(0, CLASSES, len(owner))
    scores = generator.random(len(owner)) ** 3
    # Objects are sorted by image, so an image's objects are a range of them.
    objects = np.array([annotation["image_id"] - 1 for annotation in ground_truth["annotations"]])
    start, stop = (np.searchsorted(objects, owner, side) for side in ("left", "right"))
    matched = np.flatnonzero((generator.random(len(owner)) < MATCHED) & (stop > start))
    chosen = generator.integers(start[matched], stop[matched])
    truth = np.array([annotation["bbox"] for annotation in ground_truth["annotations"]])[chosen]
    boxes[matched] = truth + generator.normal(0, 0.08, truth.shape) * np.tile(truth[:, 2:], 2)
    labels[matched] = np.array([annotation["category_id"] - 1 for annotation in ground_truth["annotations"]])[chosen]
    scores[matched] = scores[matched] ** 0.2  # mostly, not always, above the others
    boxes[:, 2:] += boxes[:, :2]
    shape = (num_images, per_image)
    return Detections(
        boxes=torch.from_numpy(boxes).float().reshape(*shape, 4),
        scores=torch.from_numpy(scores).float().reshape(shape),
        labels=torch.from_numpy(labels).reshape(shape),
        valid=torch.ones(shape, dtype=torch.bool),
    )


def score_ours(metric: CocoMetric, image_ids: torch.Tensor, detections: Detections, errors: bool) -> list[float]:
    metric.reset()
    for start in range(0, len(image_ids), BATCH):
        rows = slice(start, start + BATCH)
        metric.update(image_ids[rows], detections[rows])
    return list(metric.compute(errors=errors).summary.values())


def score_pycocotools(ground_truth: COCO, results: list[dict]) -> list[float]:
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(ground_truth, ground_truth.loadRes(results), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist()


def to_results(detections: Detections) -> list[dict]:
    """COCO's results format without rounding; image ids count from 1."""
    top_left, bottom_right = detections.boxes.double().split(2, dim=-1)
    boxes = torch.cat([top_left, bottom_right - top_left], dim=-1).tolist()
    columns = (boxes, detections.scores.double().tolist(), (detections.labels + 1).tolist())
    return [
        {"image_id": image_id, "bbox": box, "score": score, "category_id": category_id}
        for image_id, image in enumerate(zip(*columns, strict=True), start=1)
        for box, score, category_id in zip(*image, strict=True)
    ]


def timed(function: Callable[[], list[float]]) -> tuple[float, list[float]]:
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=100, help="of each image")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is timed, in turns")
    arguments = parser.parse_args()

    generator = np.random.default_rng(0)
    ground_truth = make_ground_truth(generator, arguments.images)
    detections = make_detections(generator, ground_truth, arguments.detections)
    image_ids = torch.arange(1, arguments.images + 1)
    metric = CocoMetric(ground_truth, list(range(1, CLASSES + 1)))
    results = to_results(detections)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = ground_truth
        reference.createIndex()

    contestants = {
        "ours": lambda: score_ours(metric, image_ids, detections, errors=False),
        "ours with TIDE": lambda: score_ours(metric, image_ids, detections, errors=True),
        "pycocotools": lambda: score_pycocotools(reference, results),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    numbers: dict[str, list[float]] = {}
    for _ in range(arguments.rounds):
        for name, contestant in contestants.items():
            elapsed, numbers[name] = timed(contestant)
            seconds[name].append(elapsed)

    print(f"{arguments.images} images x {arguments.detections} detections, {len(ground_truth['annotations'])} objects")
    slowest = median(seconds["pycocotools"])
    for name, values in seconds.items():
        each = ", ".join(f"{value:.3f}" for value in values)
        print(f"{name:15} {median(values):8.3f} s  ({each})  {slowest / median(values):6.1f} times as fast")
    difference = np.abs(np.subtract(numbers["ours"], numbers["pycocotools"])).max()
    print(f"mAP {numbers['ours'][0]:.4f}, largest difference of the twelve numbers {difference:.1e}")


if __name__ == "__main__":
    main()
