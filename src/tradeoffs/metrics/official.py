"""The two libraries that implement COCO's protocol: hotcoco, and pycocotools where hotcoco cannot be imported.

hotcoco gives pycocotools' numbers in about a hundredth of the time, and TIDE's error analysis besides.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections import Counter
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

# The twelve numbers in the order of `COCOeval.stats`; sizes by area: small < 32^2 < medium < 96^2 < large.
SUMMARY = (
    *("mAP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)
# Bolya et al. 2020, section 2.2: classification, localization, both, duplicate, background, missed ground truth.
ERRORS = ("Cls", "Loc", "Both", "Dupe", "Bkg", "Miss")


@functools.cache
def load_library() -> tuple[type, type]:
    """The classes COCO and COCOeval."""
    try:
        from hotcoco import COCO, COCOeval
    except ImportError as error:
        warnings.warn(
            f"hotcoco cannot be imported ({error}): pycocotools computes the scores, slower and without TIDE errors",
            stacklevel=2,
        )
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    return COCO, COCOeval


def boxes_only(ground_truth: dict) -> dict:
    """What scoring boxes needs of a COCO dict; a missing area is the box's, a missing crowd flag is 0.

    Annotations are numbered anew from 1, because pycocotools takes a match with number 0 for no match.
    """
    annotations = [
        {
            "id": number,
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "bbox": annotation["bbox"],
            "area": box_area(annotation) if annotation.get("area") is None else annotation["area"],
            "iscrowd": int(annotation.get("iscrowd") or 0),
        }
        for number, annotation in enumerate(ground_truth["annotations"], start=1)
    ]
    images = [{"id": image["id"]} for image in ground_truth["images"]]
    categories = [{"id": category["id"], "name": category["name"]} for category in ground_truth["categories"]]
    return {"images": images, "annotations": annotations, "categories": categories}


def box_area(annotation: dict) -> float:
    return annotation["bbox"][2] * annotation["bbox"][3]


def evaluate(
    ground_truth: dict, rows: Float64[ndarray, "N 7"], image_ids: Int64[ndarray, " M"], category_ids: list[int]
) -> Any:
    """Match `rows` (image id, x, y, width, height, score, category id) and return the finished COCOeval."""
    _, evaluator = load_library()
    with contextlib.redirect_stdout(io.StringIO()):  # both libraries print as they go
        truth = _index(ground_truth)
        # pycocotools cannot load an empty list of results.
        found = truth.loadRes(rows) if len(rows) else _index({**ground_truth, "annotations": []})
        evaluation = evaluator(truth, found, "bbox")
        evaluation.params.imgIds = image_ids.tolist()
        evaluation.params.catIds = sorted(category_ids)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _index(ground_truth: dict) -> Any:
    index = load_library()[0]()
    index.dataset = ground_truth
    index.createIndex()
    return index


def summary(evaluation: Any) -> dict[str, float]:
    return dict(zip(SUMMARY, _known(np.asarray(evaluation.stats)).tolist(), strict=True))


def per_class(evaluation: Any, ground_truth: dict) -> list[dict]:
    """One row per evaluated class, ascending by id; AP is nan for a class without instances."""
    # Precision over IoU thresholds, recalls and classes, at all sizes and 100 detections per image.
    precision = _known(evaluation.eval["precision"][:, :, :, 0, -1])
    names = {category["id"]: category["name"] for category in ground_truth["categories"]}
    # pycocotools leaves numpy's integers in its parameters, which JSON refuses.
    instances = _count_instances(ground_truth, set(map(int, evaluation.params.imgIds)))
    ids = map(int, evaluation.params.catIds)
    columns = (ids, precision.mean(axis=(0, 1)).tolist(), precision[0].mean(axis=0).tolist())
    return [
        {"id": id, "name": names[id], "AP": ap, "AP50": ap50, "instances": instances[id]}
        for id, ap, ap50 in zip(*columns, strict=True)
    ]


def errors(evaluation: Any) -> dict[str, float]:
    """By how much AP50 would rise were all errors of one kind put right (TIDE). Empty with pycocotools."""
    if not hasattr(evaluation, "tide_errors"):
        return {}
    gains = evaluation.tide_errors()["delta_ap"]
    return {kind: gains[kind] for kind in ERRORS}


def _count_instances(ground_truth: dict, image_ids: set[int]) -> Counter:
    return Counter(
        annotation["category_id"]
        for annotation in ground_truth["annotations"]
        if not annotation["iscrowd"] and annotation["image_id"] in image_ids
    )


def _known(values: ndarray) -> ndarray:
    """The libraries' -1, which stands for "there is no ground truth", as nan."""
    return np.where(values == -1, np.nan, values)
