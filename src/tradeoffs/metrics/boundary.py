"""Boundary IoU (Cheng et al. 2021): of two masks only what lies near their borders is compared.

A mask's IoU hardly tells how well the border of a large object was found. COCO's protocol with the lower of both IoUs
in place of the mask's gives Boundary AP (section 5.1 and appendix).
"""

from __future__ import annotations

import functools
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as rle

NEAR = 0.02  # of the image's diagonal: how far from its border a mask is compared, at least a pixel (section 5.1)


def border(code: dict[str, Any]) -> dict[str, Any]:
    """The pixels of a mask that lie near its border, which the image's border is, too; both as run-length codes."""
    mask = rle.decode(code)
    distance = max(1, round(NEAR * float(np.hypot(*mask.shape))))
    kernel = np.ones((2 * distance + 1, 2 * distance + 1), np.uint8)
    inside = cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return rle.encode(np.asfortranarray(mask - inside))


@functools.cache
def boundary_library() -> tuple[type, type]:
    """pycocotools' COCO, and its COCOeval with the lower of both IoUs; hotcoco has neither."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    class BoundaryEval(COCOeval):
        def computeIoU(self, imgId: Any, catId: Any) -> Any:
            masks = super().computeIoU(imgId, catId)
            if len(masks) == 0:
                return masks
            kinds, place = (self._gts, self._dts), (imgId, catId)
            whole = [kind[place] for kind in kinds]
            for kind, objects in zip(kinds, whole, strict=True):
                kind[place] = [{**each, "segmentation": border(each["segmentation"])} for each in objects]
            borders = super().computeIoU(imgId, catId)
            for kind, objects in zip(kinds, whole, strict=True):
                kind[place] = objects
            return np.minimum(masks, borders)

    return COCO, BoundaryEval
