"""COCO's score of keypoints: average precision over object keypoint similarity, by the official protocol."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from tradeoffs.metrics.official import load_library

PLACES = {"oks_ap": 0, "oks_ap50": 1, "oks_ap75": 2, "oks_ar": 5}  # among the protocol's ten numbers


def keypoints_only(ground_truth: Mapping, category_id: int) -> dict:
    """What scoring poses needs of a COCO dict, of one class; images are numbered by their place, all else anew."""
    places = {image["id"]: place for place, image in enumerate(ground_truth["images"])}
    joints = next(len(each["keypoints"]) for each in ground_truth["categories"] if each["id"] == category_id)
    of_class = (each for each in ground_truth["annotations"] if each["category_id"] == category_id)
    annotations = []
    for number, annotation in enumerate(of_class, start=1):
        keypoints = annotation.get("keypoints") or [0] * (3 * joints)
        annotations.append(
            {
                **{key: annotation[key] for key in ("bbox", "area", "iscrowd")},
                "id": number,
                "image_id": places[annotation["image_id"]],
                "category_id": 1,
                "keypoints": keypoints,
                "num_keypoints": sum(flag > 0 for flag in keypoints[2::3]),
            }
        )
    images = [{"id": place} for place in places.values()]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def oks_scores(
    ground_truth: dict, results: Sequence[dict], images: Int64[ndarray, " M"], sigmas: Sequence[float]
) -> dict[str, float]:
    """Of `keypoints_only` and results like it, on some of the images; nan where there is no pose to find.

    The 20 best poses of an image count.
    """
    index, evaluator = load_library()
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():  # both libraries print as they go
        warnings.simplefilter("ignore")  # of sigmas that are not COCO's: other joints have others
        truth = index()
        truth.dataset = ground_truth
        truth.createIndex()
        found = truth.loadRes(list(results)) if results else index()
        if not results:
            found.dataset = {**ground_truth, "annotations": []}
            found.createIndex()
        evaluation = evaluator(truth, found, "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.params.imgIds = images.tolist()
        evaluation.params.catIds = [1]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    values = np.asarray(evaluation.stats, float)
    return {name: float(values[place]) if values[place] != -1 else float("nan") for name, place in PLACES.items()}
