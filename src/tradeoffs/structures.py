"""The dataclasses that travel between the rooms: padded tensors with a mask that says which rows are real."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

Fields = TypeVar("Fields", bound="TensorFields")

IGNORED = 255  # in a label map: no class, neither learned nor scored


class TensorFields:
    """Moves all tensors of a dataclass at once: to a device, to pinned memory, to some rows of the batch."""

    def map(self: Fields, function: Callable[[Tensor], Tensor]) -> Fields:
        def apply(value):
            return function(value) if isinstance(value, Tensor) else value and value.map(function)

        return type(self)(**{field.name: apply(getattr(self, field.name)) for field in fields(self)})

    def to(self: Fields, device: torch.device | str, non_blocking: bool = False) -> Fields:
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self: Fields) -> Fields:
        return self.map(Tensor.pin_memory)

    def __getitem__(self: Fields, rows) -> Fields:
        """The images `rows` (slice, index list or mask) of the batch."""
        return self.map(lambda tensor: tensor[rows])


@dataclass
class Targets(TensorFields):
    """What a task asked for of a batch, None for the rest. Crowd regions are left out before they get here."""

    boxes: Float[Tensor, "B N 4"] | None = None  # xyxy in pixels of the network input; 0 where not valid
    labels: Int64[Tensor, "B N"] | None = None  # 0..K-1
    valid: Bool[Tensor, "B N"] | None = None
    masks: UInt8[Tensor, "B N H W8"] | None = None  # eight pixels of a row a byte, see ops/masks.py
    keypoints: Float[Tensor, "B N J 3"] | None = None  # x, y, visibility (0 unlabelled, 1 hidden, 2 visible)
    label: Int64[Tensor, " B"] | None = None  # of the whole image, or of its main object
    label_weights: Float[Tensor, "B K"] | None = None  # of mixed images: how much of each class; rows sum to 1
    label_map: UInt8[Tensor, "B H W"] | None = None  # the class of each pixel, IGNORED where nothing is to be learned


@dataclass
class Regions(TensorFields):
    """Where there may be an object, best first: what a model gets that does not look for such places itself."""

    boxes: Float[Tensor, "B R 4"]  # xyxy in pixels of the network input; 0 where not valid
    scores: Float[Tensor, "B R"]
    valid: Bool[Tensor, "B R"]


@dataclass
class Detections(TensorFields):
    """What was found, best first."""

    boxes: Float[Tensor, "B D 4"]  # xyxy in pixels of the network input, or of the original image
    scores: Float[Tensor, "B D"]
    labels: Int64[Tensor, "B D"]  # 0..K-1
    valid: Bool[Tensor, "B D"]

    def objects_in(self, batch: Batch) -> Detections:
        """As all kinds of predictions are shown: what there is to be seen, in pixels of the original images."""
        return to_original(self, batch)


@dataclass
class Instances(Detections):
    """Detections with their masks: few numbers each, which are spread over the box in whatever image they are drawn."""

    masks: Float[Tensor, "B D M M"]  # probabilities
    pasted: UInt8[Tensor, "B D H W8"] | None = None  # in pixels of the network input, eight of a row a byte


@dataclass
class DetectedPoses(Detections):
    """People that were found, with their joints."""

    keypoints: Float[Tensor, "B D J 3"]  # x, y in pixels of the network input, score from 0 to 1

    def joints_in(self, batch: Batch) -> Float[Tensor, "B D J 3"]:
        """In pixels of the original images."""
        return original_joints(self.keypoints, batch)


@dataclass
class Labels(TensorFields):
    """What images are taken for, the most probable class first."""

    labels: Int64[Tensor, "B N"]  # 0..K-1
    scores: Float[Tensor, "B N"]  # probabilities

    def objects_in(self, batch: Batch) -> Detections:
        """The whole image is an object of the most probable class."""
        height, width = batch.original_sizes.float().split(1, dim=1)
        boxes = torch.cat([torch.zeros_like(width), torch.zeros_like(width), width, height], dim=1)
        first = self.labels[:, :1]
        return Detections(boxes[:, None], self.scores[:, :1].float(), first, torch.ones_like(first, dtype=torch.bool))


@dataclass
class LabelledBoxes(TensorFields):
    """What the main object of images is taken for, the most probable class first, and where it is if it is that."""

    labels: Int64[Tensor, "B N"]  # 0..K-1
    scores: Float[Tensor, "B N"]  # probabilities
    boxes: Float[Tensor, "B N 4"]  # xyxy in pixels of the network input
    class_boxes: Float[Tensor, "B M 4"]  # the same of each class, or one for all: M is K or 1

    def of_class(self, label: Int64[Tensor, " B"]) -> Float[Tensor, "B 1 4"]:
        """Where the object of each image is, if it is of this class."""
        rows = torch.arange(len(label), device=label.device)
        return self.class_boxes[rows, label if self.class_boxes.shape[1] > 1 else 0][:, None]

    def objects_in(self, batch: Batch) -> Detections:
        """The most probable class, with its box."""
        first = self.labels[:, :1]
        boxes = originals(self.boxes[:, :1], batch)
        return Detections(boxes, self.scores[:, :1].float(), first, torch.ones_like(first, dtype=torch.bool))


@dataclass
class LabelMaps(TensorFields):
    """What each pixel of images is taken for."""

    labels: UInt8[Tensor, "B H W"]  # 0..K-1, in pixels of the network input

    def originals(self, batch: Batch) -> list[UInt8[Tensor, "_h _w"]]:
        """At the size of the original images: a pixel's class is that of the input's pixel in which its centre lies."""
        geometry, sizes, maps = batch.geometry.tolist(), batch.original_sizes.tolist(), []
        for labels, (scale_x, scale_y, left, top), (height, width) in zip(self.labels, geometry, sizes, strict=True):
            rows = _places(height, scale_y, top, labels.shape[0]).to(labels.device)
            columns = _places(width, scale_x, left, labels.shape[1]).to(labels.device)
            maps.append(labels[rows][:, columns])
        return maps

    def objects_in(self, batch: Batch) -> Detections:
        """None: what is to be seen are the pixels' classes."""
        none = self.labels.new_zeros(len(self.labels), 0)
        return Detections(none[..., None].expand(-1, -1, 4).float(), none.float(), none.long(), none.bool())


class Skeleton(NamedTuple):
    """The joints of a class of objects, such as persons, and which two are drawn as a limb."""

    names: list[str]
    edges: list[tuple[int, int]]  # positions among the names
    category_id: int  # COCO's
    category_name: str


@dataclass
class Poses(TensorFields):
    """Where the joints of one person in each image are, and how sure that is."""

    keypoints: Float[Tensor, "B J 3"]  # x, y in pixels of the network input, score from 0 to 1

    @property
    def scores(self) -> Float[Tensor, " B"]:
        """Of each person."""
        return self.keypoints[..., 2].mean(dim=-1)

    def originals(self, batch: Batch) -> Float[Tensor, "B J 3"]:
        """In pixels of the original images; joints may lie beyond their borders."""
        return original_joints(self.keypoints, batch)

    def objects_in(self, batch: Batch) -> Detections:
        """The box around each person's joints."""
        points = self.originals(batch)[..., :2]
        boxes = torch.cat([points.amin(dim=1), points.amax(dim=1)], dim=-1)[:, None]
        none = torch.zeros_like(boxes[..., 0], dtype=torch.int64)
        return Detections(boxes, self.scores[:, None], none, torch.ones_like(none, dtype=torch.bool))


@dataclass
class Batch(TensorFields):
    """Images as the network takes them, where they came from, and what is in them."""

    images: UInt8[Tensor, "B 3 H W"]  # RGB, zero where padded
    targets: Targets
    geometry: Float[Tensor, "B 4"]  # scale x, scale y, offset x, offset y: input = original * scale + offset
    original_sizes: Int64[Tensor, "B 2"]  # height, width before resizing
    image_ids: Int64[Tensor, " B"]  # COCO's
    addresses: Int64[Tensor, "B 3"]  # seed, epoch, index: what the sample's randomness depends on
    regions: Regions | None = None  # for models that need them

    @property
    def inputs(self) -> tuple[Tensor] | tuple[Tensor, Regions]:
        """What a model is called with: images, and regions if it needs them."""
        return (self.images,) if self.regions is None else (self.images, self.regions)

    def __len__(self) -> int:
        return len(self.images)


def _places(length: int, scale: float, offset: float, limit: int) -> Int64[Tensor, " N"]:
    """Of the pixels of an original image's row, or column, in the network input."""
    return ((torch.arange(length) + 0.5) * scale + offset).floor().long().clamp(0, limit - 1)


def original_joints(joints: Float[Tensor, "B *N 3"], batch: Batch) -> Float[Tensor, "B *N 3"]:
    """In pixels of the original images; joints may lie beyond their borders, and keep what else is said of them."""
    geometry = batch.geometry.to(joints).view(-1, *[1] * (joints.ndim - 2), 4)
    scale, offset = geometry.split(2, dim=-1)
    return torch.cat([(joints[..., :2] - offset) / scale, joints[..., 2:]], dim=-1)


def to_original(detections: Detections, batch: Batch) -> Detections:
    """Boxes in the pixels of the original images, cut at their borders."""
    return Detections(originals(detections.boxes, batch), detections.scores, detections.labels, detections.valid)


def originals(boxes: Float[Tensor, "B N 4"], batch: Batch, cut: bool = True) -> Float[Tensor, "B N 4"]:
    """The same for boxes alone, cut or not."""
    scale, offset = batch.geometry.to(boxes.dtype)[:, None].split(2, dim=-1)
    corners = (boxes.unflatten(-1, (2, 2)) - offset[:, :, None]) / scale[:, :, None]
    if not cut:
        return corners.flatten(-2)
    limits = batch.original_sizes.flip(-1)[:, None, None].to(corners.dtype)
    return corners.clamp(min=0).minimum(limits).flatten(-2)
