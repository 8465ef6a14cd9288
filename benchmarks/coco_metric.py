"""Seconds that COCO's box score takes: ours (batches of detections in, scores out) and pycocotools, in turns.

    python benchmarks/coco_metric.py [--images 5000] [--detections 100] [--repeats 2]

pycocotools gets its results as a list of dicts, ready made; both parse the ground truth outside the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import io

import numpy as np
import torch
from numpy import ndarray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from table import compare, print_table

from tradeoffs.measure.timer import time_in_turns
from tradeoffs.metrics.coco import CocoMetric
from tradeoffs.structures import Detections

WIDTH, HEIGHT, CLASSES, BATCH = 640, 480, 80, 16
GOAL = 50  # times as fast
TOLERANCE = 1e-9  # between the twelve numbers of both
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


def main(num_images: int = 5000, per_image: int = 100, repeats: int = 2) -> list[dict]:
    generator = np.random.default_rng(0)
    ground_truth = make_ground_truth(generator, num_images)
    detections = make_detections(generator, ground_truth, per_image)
    image_ids = torch.arange(1, num_images + 1)
    metric = CocoMetric(ground_truth, list(range(1, CLASSES + 1)))
    results = to_results(detections)
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = ground_truth
        reference.createIndex()

    numbers: dict[str, list[float]] = {}
    contestants = {
        "ours": lambda: numbers.update(ours=score_ours(metric, image_ids, detections, errors=False)),
        "with TIDE": lambda: score_ours(metric, image_ids, detections, errors=True),
        "theirs": lambda: numbers.update(theirs=score_pycocotools(reference, results)),
    }
    timings = time_in_turns(contestants, repeats, warmup=0, device="cpu")
    np.testing.assert_allclose(numbers["ours"], numbers["theirs"], rtol=0, atol=TOLERANCE)
    rows = [
        compare("the twelve numbers", timings["ours"], timings["theirs"], GOAL),
        compare("ours with TIDE's errors", timings["with TIDE"], timings["theirs"]),
    ]
    print_table(rows, title=f"COCO metric, {num_images} images x {per_image} detections")
    return rows


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--detections", type=int, default=100, help="of each image")
    parser.add_argument("--repeats", type=int, default=2, help="turns")
    arguments = parser.parse_args()
    main(arguments.images, arguments.detections, arguments.repeats)
