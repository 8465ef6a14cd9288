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

from tradeoffs.data.annotation_file import area_of

MOST_DETECTIONS = 100  # of an image that the protocol counts: its best ones

SIZES = ("small", "medium", "large")  # by area: small < 32^2 < medium < 96^2 < large
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
    """What scoring boxes needs of a COCO dict; an area that is none is the box's, a missing crowd flag is 0.

    Annotations are numbered anew from 1, because pycocotools takes a match with number 0 for no match.
    """
    largest = {image["id"]: image["width"] * image["height"] for image in ground_truth["images"] if "width" in image}
    annotations = [
        {
            "id": number,
            "image_id": annotation["image_id"],
            "category_id": annotation["category_id"],
            "bbox": annotation["bbox"],
            "area": area_of(annotation, largest.get(annotation["image_id"], np.inf)),
            "iscrowd": int(annotation.get("iscrowd") or 0),
        }
        for number, annotation in enumerate(ground_truth["annotations"], start=1)
    ]
    images = [{"id": image["id"]} for image in ground_truth["images"]]
    categories = [{"id": category["id"], "name": category["name"]} for category in ground_truth["categories"]]
    return {"images": images, "annotations": annotations, "categories": categories}


def numbered(ground_truth: dict, image_ids: list[int], category_ids: list[int]) -> dict:
    """With the place in these lists instead of each id, and without what has another: any id becomes a small number."""
    images, categories = ({id: place for place, id in enumerate(ids)} for ids in (image_ids, category_ids))
    known = {image["id"]: image for image in ground_truth["images"]}
    return {
        "images": [{**known[id], "id": place} for id, place in images.items()],
        "annotations": [
            {**each, "image_id": images[each["image_id"]], "category_id": categories[each["category_id"]]}
            for each in ground_truth["annotations"]
            if each["image_id"] in images and each["category_id"] in categories
        ],
        "categories": [
            {**each, "id": categories[each["id"]]} for each in ground_truth["categories"] if each["id"] in categories
        ],
    }


def evaluate(
    ground_truth: dict,
    results: Float64[ndarray, "N 7"] | list[dict],
    image_ids: Int64[ndarray, " M"],
    category_ids: list[int],
    max_detections: int = MOST_DETECTIONS,
    shape: str = "bbox",
    library: tuple[type, type] | None = None,
) -> Any:
    """Match `results` and return the COCOeval that has accumulated.

    Results are rows (image id, x, y, width, height, score, category id), or dictionaries as COCO has them. `shape` is
    `bbox` or `segm`; `library` has the classes of `load_library`.
    """
    index, evaluator = library or load_library()
    with contextlib.redirect_stdout(io.StringIO()):  # both libraries print as they go
        truth = _indexed(index, ground_truth)
        # pycocotools cannot load an empty list of results.
        found = truth.loadRes(results) if len(results) else _indexed(index, {**ground_truth, "annotations": []})
        evaluation = evaluator(truth, found, shape)
        evaluation.params.imgIds = image_ids.tolist()
        evaluation.params.catIds = sorted(category_ids)
        evaluation.params.maxDets = [1, 10, max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _indexed(index: type, ground_truth: dict) -> Any:
    made = index()
    made.dataset = ground_truth
    made.createIndex()
    return made


def summary(evaluation: Any) -> dict[str, float]:
    """The protocol's twelve numbers, in the order of `COCOeval.stats`; AR100 is named by how many count.

    With another number than 100 pycocotools would give -1 for mAP, and hotcoco warn.
    """
    most = evaluation.params.maxDets[-1]
    names = ("mAP", "AP50", "AP75", *(f"AP_{size}" for size in SIZES))
    names += ("AR1", "AR10", f"AR{most}", *(f"AR_{size}" for size in SIZES))
    if most != MOST_DETECTIONS:
        return dict(zip(names, _averages(evaluation), strict=True))
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.summarize()
    return dict(zip(names, _known(evaluation.stats).tolist(), strict=True))


def _averages(evaluation: Any) -> list[float]:
    """What the libraries' `summarize` computes."""
    # Over IoU thresholds, recalls (precision alone), classes, sizes (the first is all of them), numbers of detections.
    precision, recall = _known(evaluation.eval["precision"])[..., -1], _known(evaluation.eval["recall"])
    sizes = range(1, len(SIZES) + 1)
    found = [precision[..., 0], precision[0, ..., 0], precision[5, ..., 0], *(precision[..., size] for size in sizes)]
    found += [*(recall[..., 0, count] for count in range(3)), *(recall[..., size, -1] for size in sizes)]
    return [float(values[~np.isnan(values)].mean()) if (~np.isnan(values)).any() else np.nan for values in found]


def per_class(evaluation: Any, ground_truth: dict) -> list[dict]:
    """One row per evaluated class, ascending by id; AP is nan for a class without instances."""
    # Precision over IoU thresholds, recalls and classes, at all sizes and with the most detections.
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
    return np.where(np.asarray(values) == -1, np.nan, values)
