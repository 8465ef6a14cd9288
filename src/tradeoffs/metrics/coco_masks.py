"""COCO's score of masks, with that of their boxes and, if it is asked for, of their borders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tradeoffs.data.run_lengths import encode
from tradeoffs.errors import UserError
from tradeoffs.metrics import official
from tradeoffs.metrics.boundary import boundary_library
from tradeoffs.metrics.coco import CocoMetric, CocoScores
from tradeoffs.metrics.gather import Seen
from tradeoffs.metrics.matches import Matches


def objects_with_masks(ground_truth: dict) -> dict:
    """What scoring masks needs of a COCO dict: run-length codes and sizes of images besides what boxes need.

    Raises UserError where an object has no mask.
    """
    content = official.boxes_only(ground_truth)
    sizes = {image["id"]: {key: image[key] for key in ("height", "width")} for image in ground_truth["images"]}
    for kept, given in zip(content["annotations"], ground_truth["annotations"], strict=True):
        code = encode(given.get("segmentation"), *sizes[given["image_id"]].values())
        if code is None:
            raise UserError(f"image {given['image_id']} has an object without segmentation; masks cannot be scored")
        counts = code["counts"]
        kept["segmentation"] = {**code, "counts": counts.decode() if isinstance(counts, bytes) else counts}
    return {**content, "images": [{**image, **sizes[image["id"]]} for image in content["images"]]}


class MaskMetric(CocoMetric):
    """As `CocoMetric`, but masks decide what was found: `update` needs the codes of all valid detections.

    `boundaries` adds Boundary AP, `boundary_mAP`, which is nan otherwise.
    """

    shape = "segm"
    needed = staticmethod(objects_with_masks)

    def __init__(self, *truth: Any, boundaries: bool = False, **settings: Any):
        super().__init__(*truth, **settings)
        self.boundaries = boundaries
        self._sizes = [[image["height"], image["width"]] for image in self.ground_truth["images"]]

    def evidence(self, only_seen: bool = False) -> Matches | None:
        """By masks."""
        matches = super().evidence(only_seen)
        return None if matches is None else replace(matches, prefix="mask_")

    def _segmentations(self, seen: Seen) -> list[dict]:
        images = seen.rows[:, 0].astype(np.int64).tolist()
        return [{"size": self._sizes[image], "counts": code} for image, code in zip(images, seen.codes, strict=True)]

    def _written(self, seen: Seen) -> list[dict]:
        pairs = zip(super()._written(seen), self._segmentations(seen), strict=True)
        return [{**written, "segmentation": code} for written, code in pairs]

    def _results(self, seen: Seen) -> list[dict]:
        """Without boxes: pycocotools takes the areas of these, where it finds them."""
        columns = seen.rows[:, 0].tolist(), seen.rows[:, 6].tolist(), seen.rows[:, 5].tolist()
        return [
            {"image_id": int(image), "category_id": int(category), "score": score, "segmentation": code}
            for image, category, score, code in zip(*columns, self._segmentations(seen), strict=True)
        ]

    def _score(self, seen: Seen, only_seen: bool, errors: bool) -> CocoScores:
        scores = super()._score(seen, only_seen, errors)
        images, classes = self._images(seen, only_seen), list(range(len(self._category_ids)))
        boxes = official.evaluate(self.ground_truth, seen.rows, images, classes, self.max_detections)
        borders = np.nan
        if self.boundaries:
            library = self.max_detections, self.shape, boundary_library()
            found = official.evaluate(self.ground_truth, self._results(seen), images, classes, *library)
            borders = official.summary(found)["mAP"]
        precision = {name: value for name, value in official.summary(boxes).items() if name.startswith(("mAP", "AP"))}
        kinds = {"mask": scores.summary, "box": precision, "boundary": {"mAP": borders}}
        summary = {f"{kind}_{name}": value for kind, values in kinds.items() for name, value in values.items()}
        of_boxes = [row["AP"] for row in official.per_class(boxes, self.ground_truth)]
        rows = [{**row, "box_AP": ap} for row, ap in zip(scores.per_class, of_boxes, strict=True)]
        return replace(scores, summary=summary, per_class=rows)
