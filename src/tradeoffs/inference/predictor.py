"""A trained network that finds objects in images, given in any form.

Images pass through stages that work at once: threads read and resize, the network takes batches, the caller uses them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Sample, collate, unlabelled
from tradeoffs.errors import UserError
from tradeoffs.inference.items import Item, is_moving, is_single, items_of, single
from tradeoffs.inference.people import People
from tradeoffs.inference.pipeline import THREADS, ahead, batched
from tradeoffs.inference.pixels import pixels_of
from tradeoffs.inference.prediction import Prediction
from tradeoffs.inference.regions import Regions
from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.models.detection.published import NO_CLASS
from tradeoffs.ops.run_lengths import segments
from tradeoffs.pictures.skeletons import LEAST_PROBABILITY
from tradeoffs.proposals.proposer import Proposer
from tradeoffs.structures import DetectedPoses, Instances, LabelMaps, Skeleton

BELOW = 1 - 1e-6  # networks leave out what scores exactly as much as their threshold


class Picture(NamedTuple):
    """An item as it is, and as the network takes it."""

    item: Item
    pixels: UInt8[Tensor, "3 height width"]
    sample: Sample


class Predictor:
    """What `tradeoffs.load` gives.

    Args:
        network: In evaluation mode, on its device; `predict(images)` gives detections in pixels of the input.
        resize: How a photo becomes an input.
        class_names: By label. What is found of one called `N/A`, which is no class, is left out.
        category_ids: COCO's, by label.
        min_score: What scores less is left out, unless a call says otherwise.
        batch_size: Images that go through the network together.
        skeleton: Of the people that it finds, if it finds such.
        proposer: Of the regions that the network needs, if it needs such.
    """

    def __init__(
        self,
        network: nn.Module,
        resize: Resize,
        class_names: list[str],
        category_ids: list[int],
        min_score: float = USUAL_SCORE,
        batch_size: int = 8,
        skeleton: Skeleton | None = None,
        proposer: Proposer | None = None,
    ):
        self.network = network
        self.resize = resize
        self.class_names = class_names
        self.category_ids = category_ids
        self.min_score = min_score
        self.batch_size, self.skeleton, self.proposer = batch_size, skeleton, proposer
        self._is_class = torch.tensor([name != NO_CLASS for name in class_names])
        self._least_score = getattr(network, "score_threshold", 0.0)  # which the network itself keeps

    def __repr__(self) -> str:
        network, resize = type(self.network).__name__, self.resize
        classes = f"{len(self.class_names)} class{'es' if len(self.class_names) != 1 else ''}"
        return f"{network}: {classes}, {resize.image_size} px ({resize.mode}), on {self.device}"

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def __call__(self, source: object, min_score: float | None = None) -> Prediction | list[Prediction]:
        """What is in an image; a list for a list, a batch of images, a folder or a pattern like `photos/*.jpg`.

        An image is a path, an address (`https://...`), a PIL image, an array or a tensor, in RGB; see `pixels_of`.
        Raises UserError for the first that cannot be read, and for videos, which `stream` reads.
        """
        if is_moving(source):
            raise UserError(f"{source} is a video or a camera; iterate over model.stream({source!r})")
        if is_single(source):
            return next(self.find([single(source, 1)], min_score))
        return [found.light() if found.file else found for found in self.stream(source, min_score)]

    def stream(
        self, source: object, min_score: float | None = None, faults: list[str] | None = None
    ) -> Iterator[Prediction]:
        """One after the other what is in many images, of which few are in memory at any time.

        Args:
            source: As for a call; a video, its address or the number of a camera; or any iterable of images.
            min_score: Instead of the model's.
            faults: A list, to which is added why an image cannot be read; it is left out then. By default that raises
                UserError. A video that has fewer frames than it says is added, too; by default that is a warning.
        """
        return self.find(items_of(source, faults), min_score, faults)

    def find(
        self, items: Iterable[Item], min_score: float | None = None, faults: list[str] | None = None
    ) -> Iterator[Prediction]:
        """The same for items."""
        least = self.min_score if min_score is None else min_score
        if not 0 <= least <= 1:
            raise UserError(f"min_score={least} is impossible; min_score is a number from 0 to 1")
        return self._find(items, least, faults)

    def _find(self, items: Iterable[Item], min_score: float, faults: list[str] | None) -> Iterator[Prediction]:
        with ThreadPoolExecutor(THREADS) as pool:
            pictures = readable(ahead(pool, self._read, items, self.batch_size), faults)
            for batch in batched(pictures, self.batch_size):
                yield from self._detect(batch, min_score)

    def _read(self, item: Item) -> Picture | UserError:
        try:
            pixels = pixels_of(item.image)
        except UserError as fault:
            return fault
        return Picture(item, pixels, unlabelled(pixels, self.resize, self.proposer and self.proposer(pixels)))

    def _detect(self, pictures: list[Picture], min_score: float) -> Iterator[Prediction]:
        """Inputs of different size are padded to a common multiple, as in training."""
        resized = [picture.sample for picture in pictures]
        batch = collate(resized, self.resize.multiple, self.resize.padding).to(self.device)
        if hasattr(self.network, "score_threshold"):  # weaker boxes suppress none that are kept, and cost time
            self.network.score_threshold = max(self._least_score, min_score * BELOW)
        with torch.inference_mode():
            predictions = self.network.predict(*batch.inputs)
            detections = predictions.objects_in(batch).to("cpu")
            maps = predictions.originals(batch) if isinstance(predictions, LabelMaps) else None
        sure = detections.valid & (detections.scores >= min_score) & self._is_class[detections.labels]
        joints = predictions.joints_in(batch).float().cpu() if isinstance(predictions, DetectedPoses) else None
        masks = segments(predictions, batch, sure) if isinstance(predictions, Instances) else None
        for row, picture in enumerate(pictures):
            caption = predictions.captions()[row] if hasattr(predictions, "captions") else None
            boxes, labels, scores = (
                part[row][sure[row]].clone() for part in (detections.boxes, detections.labels, detections.scores)
            )
            yield Prediction(
                boxes=boxes,
                labels=labels,
                scores=scores,
                names=[self.class_names[label] if caption is None else caption for label in labels.tolist()],
                caption=caption,
                segments=masks and masks[row],
                name=picture.item.name,
                size=tuple(picture.pixels.shape[1:]),
                file=picture.item.file,
                seconds=picture.item.seconds,
                pixels=picture.pixels,
                regions=Regions.of(maps[row], self.class_names) if maps else None,
                people=None if joints is None else self._people(joints[row][sure[row]].clone(), boxes, scores),
            )

    def _people(
        self, joints: Float[Tensor, "P J 3"], boxes: Float[Tensor, "P 4"], scores: Float[Tensor, " P"]
    ) -> People:
        return People(joints, scores, self.skeleton, LEAST_PROBABILITY, boxes)


def readable(pictures: Iterable[Picture | UserError], faults: list[str] | None) -> Iterator[Picture]:
    """The pictures; what is none is added to `faults`, or raised where that is None."""
    for picture in pictures:
        if not isinstance(picture, UserError):
            yield picture
        elif faults is None:
            raise picture
        else:
            faults.append(str(picture))
