"""Edge boxes: objects are where a box holds contours that do not cross its border (Zitnick and Dollar 2014).

OpenCV's implementation, on the edges that structured forests find (Dollar and Zitnick 2013). Their weights are a file
that OpenCV's packages lack: `model.yml.gz` of the repository opencv_extra, in testdata/cv/ximgproc.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy import ndarray
from torch import Tensor

from tradeoffs.errors import UserError
from tradeoffs.proposals.proposer import Proposed, corners

_one_at_a_time = Lock()  # edges of one image keep all cores busy


@dataclass(frozen=True)
class EdgeBoxes:
    """Raises UserError at once where `model` is no file.

    Args:
        model: The file of the edge detector.
        count: Boxes for each image, at most.
        alpha: IoU of neighbours in the search: more is finer (section 3.3).
        beta: IoU from which on a box is suppressed by a better one.
        min_score: Of boxes.
        least_area: Of boxes, in square pixels of the image.
    """

    model: str
    count: int = 2000
    alpha: float = 0.65
    beta: float = 0.75
    min_score: float = 0.01
    least_area: int = 1000

    name = "edge_boxes"
    device = "cpu"

    def __post_init__(self):
        if not Path(self.model).is_file():
            raise UserError(
                f"proposals.model={self.model} is no file; give the edge detector's, which is model.yml.gz of "
                "opencv_extra (testdata/cv/ximgproc)"
            )

    @property
    def identity(self) -> dict[str, Any]:
        """The model goes by its content, not by where it lies."""
        with Path(self.model).open("rb") as file:
            model = hashlib.file_digest(file, "sha256").hexdigest()
        return {"name": self.name, **asdict(self), "model": model, "opencv": cv2.__version__}

    def __call__(self, image: UInt8[Tensor, "3 H W"]) -> Proposed:
        edges, orientations = detect_edges(image.permute(1, 2, 0).numpy(), self.model)
        found = cv2.ximgproc.createEdgeBoxes(
            alpha=self.alpha,
            beta=self.beta,
            minScore=self.min_score,
            maxBoxes=self.count,
            minBoxArea=self.least_area,
        )
        return boxes_of_edges(found, edges, orientations)


def detect_edges(image: UInt8[ndarray, "H W 3"], model: str) -> tuple[Float32[ndarray, "H W"], Float32[ndarray, "H W"]]:
    """How much of an edge each pixel is, thinned, and the edge's orientation. Raises UserError for another model."""
    with _one_at_a_time:
        detector = load_detector(model)
        edges = detector.detectEdges(np.ascontiguousarray(image, dtype=np.float32) / 255)
        orientations = detector.computeOrientation(edges)
        return detector.edgesNms(edges, orientations), orientations


@cache
def load_detector(model: str) -> cv2.ximgproc.StructuredEdgeDetection:
    """It takes seconds. OpenCV takes any YAML, and without the forest's options the process would die."""
    try:
        content = cv2.FileStorage(model, cv2.FILE_STORAGE_READ)
        if not content.getNode("options").empty() and not content.getNode("childs").empty():
            return cv2.ximgproc.createStructuredEdgeDetection(model)
    except (cv2.error, SystemError):  # the latter of a constructor that fails
        pass
    raise UserError(f"proposals.model={model} is no edge detector; give model.yml.gz of opencv_extra")


def boxes_of_edges(
    search: cv2.ximgproc.EdgeBoxes, edges: Float32[ndarray, "H W"], orientations: Float32[ndarray, "H W"]
) -> Proposed:
    """Best first; of boxes that score the same the order is that of their places. `search` is for one call alone."""
    boxes, scores = search.getBoundingBoxes(edges, orientations)
    if not len(boxes):
        return Proposed(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
    scores = scores.ravel()  # of OpenCV 4 it is a column
    order = np.lexsort((*boxes.T[::-1], -scores))
    return Proposed(corners(boxes)[order].astype(np.float32), scores[order])
