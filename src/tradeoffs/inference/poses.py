"""A trained network that finds the joints of people: in given boxes, or taking each image for one person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tradeoffs.data.annotation_file import is_box, read_annotation_file
from tradeoffs.data.person_views import view_of
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Sample, collate
from tradeoffs.errors import UserError
from tradeoffs.inference.items import Item
from tradeoffs.inference.people import Boxes, People
from tradeoffs.inference.pixels import pixels_of
from tradeoffs.inference.prediction import Prediction
from tradeoffs.inference.predictor import Predictor
from tradeoffs.structures import Poses, Skeleton


class PersonPicture(NamedTuple):
    """An item as it is, and each person as the network takes it."""

    item: Item
    pixels: UInt8[Tensor, "3 height width"]
    boxes: Boxes
    samples: list[Sample]


class PosePredictor(Predictor):
    """As `Predictor`, of people: `boxes` are those of each image by its name; None: each image is one person."""

    def __init__(
        self,
        network: nn.Module,
        resize: Resize,
        skeleton: Skeleton,
        min_score: float,
        batch_size: int = 8,
        boxes: dict[str, Boxes] | None = None,
    ):
        of_class = [skeleton.category_name], [skeleton.category_id]
        super().__init__(network, resize, *of_class, min_score, batch_size, skeleton)
        self.boxes = boxes

    def _read(self, item: Item) -> PersonPicture | UserError:
        try:
            pixels = pixels_of(item.image)
            boxes = self._boxes_in(item, pixels)
        except UserError as fault:
            return fault
        samples = [sample_of(pixels, box, self.resize.image_size) for box in boxes.tolist()]
        return PersonPicture(item, pixels, boxes, samples)

    def _boxes_in(self, item: Item, pixels: UInt8[Tensor, "3 height width"]) -> Boxes:
        if self.boxes is None:
            return torch.tensor([[0.0, 0.0, pixels.shape[2], pixels.shape[1]]])
        if item.name.as_posix() not in self.boxes:
            raise UserError(f"{item.name}: boxes= has no image of this name")
        return self.boxes[item.name.as_posix()]

    def _detect(self, pictures: list[PersonPicture], min_score: float) -> Iterator[Prediction]:
        samples = [sample for picture in pictures for sample in picture.samples]
        parts = [self._poses(samples[i : i + self.batch_size]) for i in range(0, len(samples), self.batch_size)]
        none = torch.zeros(0, len(self.skeleton.names), 3)
        keypoints = torch.cat([none, *parts]).split([len(picture.samples) for picture in pictures])
        for picture, joints in zip(pictures, keypoints, strict=True):
            scores = joints[..., 2].mean(dim=1)
            yield Prediction(
                boxes=picture.boxes,
                labels=torch.zeros(len(joints), dtype=torch.int64),
                scores=scores,
                names=[self.skeleton.category_name] * len(joints),
                name=picture.item.name,
                size=tuple(picture.pixels.shape[1:]),
                file=picture.item.file,
                seconds=picture.item.seconds,
                pixels=picture.pixels,
                people=People(joints, scores, self.skeleton, min_score),
            )

    def _poses(self, samples: list[Sample]) -> Float[Tensor, "P J 3"]:
        batch = collate(samples).to(self.device)
        with torch.inference_mode():
            found: Poses = self.network.predict(batch.images)
            return found.originals(batch).float().cpu().clone()


def sample_of(pixels: UInt8[Tensor, "3 height width"], box: list[float], side: int) -> Sample:
    """A person as in validation."""
    view = view_of(box, side)
    return Sample(
        image=view.image(pixels),
        geometry=view.geometry,
        original_size=torch.tensor(pixels.shape[1:]),
        image_id=torch.tensor(0),
        address=torch.zeros(3, dtype=torch.int64),
    )


def boxes_by_name(file: Path, category_name: str) -> dict[str, Boxes]:
    """Of the people that predict.py has found with a detector, by the image's name.

    Raises UserError for another file, and where it knows no such class.
    """
    content = read_annotation_file(file)
    ids = {each.get("id") for each in content["categories"] if each.get("name") == category_name}
    if not ids:
        raise UserError(f"boxes={file} has no class called {category_name}; give what a detector of such has found")
    images = {each.get("id"): str(each.get("file_name")) for each in content["images"]}
    found: dict[str, list] = {name: [] for name in images.values()}
    for each in content["annotations"]:
        box, image = each.get("bbox"), images.get(each.get("image_id"))
        if each.get("category_id") in ids and image is not None and is_box(box) and min(box[2:]) > 0:
            found[image].append([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    return {name: torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) for name, boxes in found.items()}
