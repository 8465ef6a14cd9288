"""One training or validation sample, and how samples become a batch of fixed shape."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from tradeoffs.data.augment import SMALLEST_CROP, Augmentation, draw_window
from tradeoffs.data.coco import CocoDataset, Objects
from tradeoffs.data.image_changes import ImageChanges
from tradeoffs.data.regions import DatasetRegions
from tradeoffs.data.resize import BLACK, Placement, Resize, Window
from tradeoffs.ops.masks import pack
from tradeoffs.proposals.proposer import Proposed
from tradeoffs.structures import IGNORED, Batch, Regions, Targets

Address = tuple[int, int]  # epoch, index in the data set

UNCHANGED = ImageChanges()
SMALLEST_OBJECT = 1.0  # pixels of the network input; regression targets of thinner boxes grow without limit
OBJECTS_MULTIPLE = 8  # the number of target rows is rounded up to it, so that few shapes occur


class SeenRegions(NamedTuple):
    """Regions of one image as the network takes it, best first."""

    boxes: Float[Tensor, "R 4"]
    scores: Float[Tensor, " R"]


@dataclass
class Sample:
    """An image as the network takes it, and what is in it."""

    image: UInt8[Tensor, "3 H W"]
    geometry: Float[Tensor, "4"]
    original_size: Int64[Tensor, "2"]
    image_id: Int64[Tensor, ""]
    address: Int64[Tensor, "3"]
    boxes: Float[Tensor, "N 4"] | None = None
    labels: Int64[Tensor, " N"] | None = None
    masks: UInt8[Tensor, "N H W8"] | None = None  # packed, see ops/masks.py
    keypoints: Float[Tensor, "N J 3"] | None = None
    label: Int64[Tensor, ""] | None = None
    label_map: UInt8[Tensor, "H W"] | None = None
    regions: SeenRegions | None = None


class Samples(Dataset[Sample]):
    """Reads, augments and resizes. What a sample looks like depends on (seed, epoch, index) and nothing else.

    It has what `annotations` name: `boxes` (with their labels), their `masks`; their `keypoints`, and then only objects
    of the class that has such, whose label is 0; `label`, the class of the main object, which is the largest one;
    `main_box`, that object alone, of which there is one in every image; `label_map`, the class of every pixel. And it
    has those `regions` of the image, by its place in the data set, that are seen.
    """

    def __init__(
        self,
        dataset: CocoDataset,
        resize: Resize,
        augmentation: Augmentation = "none",
        seed: int = 0,
        annotations: Collection[str] = ("boxes",),
        smallest_crop: float = SMALLEST_CROP,
        changes: ImageChanges = UNCHANGED,
        regions: Sequence[Proposed] | DatasetRegions | None = None,
    ):
        self.dataset = dataset
        self.resize = resize
        self.augmentation = augmentation
        self.seed = seed
        self.annotations = frozenset(annotations)
        self.smallest_crop = smallest_crop
        self.changes = changes
        self.regions = regions

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, address: Address) -> Sample:
        epoch, index = address
        image = self.dataset.read_image(index)
        height, width = image.shape[1:]
        objects = self.dataset.objects(index)
        rng = np.random.default_rng((self.seed, epoch, index))
        wanted = self._wanted(objects)
        boxes = objects.boxes[wanted].numpy()
        window = draw_window(self.augmentation, boxes, height, width, rng, self.smallest_crop)
        placement = self.resize.place(window, height, width)
        label_map = placement.label_map(self.dataset.label_map(index)) if "label_map" in self.annotations else None
        return Sample(
            image=self.changes(placement.image(image), rng),
            geometry=placement.geometry,
            original_size=torch.tensor([height, width]),
            image_id=torch.tensor(self.dataset.image_ids[index]),
            address=torch.tensor([self.seed, epoch, index]),
            label_map=label_map,
            regions=None if self.regions is None else seen_regions(self.regions[index], placement),
            **(self._objects(index, objects, wanted, window, placement) if "boxes" in self.annotations else {}),
            **(self._main_object(objects, placement) if "label" in self.annotations else {}),
        )

    def _wanted(self, objects: Objects) -> Bool[Tensor, " N"]:
        """Which are to be found."""
        if "keypoints" not in self.annotations:
            return ~objects.crowd
        return ~objects.crowd & (objects.labels == self.dataset.label_with_keypoints)

    def _objects(
        self, index: int, objects: Objects, wanted: Bool[Tensor, " N"], window: Window, placement: Placement
    ) -> dict[str, Tensor]:
        """All that are to be found in the window."""
        boxes = placement.boxes(objects.boxes)
        large = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_OBJECT).all(dim=1)
        kept = wanted & window.contains_centres(objects.boxes) & large
        found = {}
        if "masks" in self.annotations:  # an object of which no pixel is seen is not there, whatever its box
            masks = placement.masks(self.dataset.masks(index))
            kept &= masks.flatten(1).any(dim=1).bool()
            found["masks"] = pack(masks[kept])
        found |= {"boxes": boxes[kept], "labels": objects.labels[kept]}
        if "keypoints" in self.annotations:
            keypoints = placement.keypoints(self.dataset.keypoints(index), self.dataset.keypoint_flip_pairs)
            found |= {"keypoints": keypoints[kept], "labels": torch.zeros_like(found["labels"])}
        return found

    def _main_object(self, objects: Objects, placement: Placement) -> dict[str, Tensor]:
        """The largest one; of equals the first. Its box is cut at the borders of what is seen."""
        main = main_object(objects)
        found = {"label": objects.labels[main]}
        if "main_box" in self.annotations:
            found["boxes"] = placement.boxes(objects.boxes[main : main + 1])
        return found


def main_object(objects: Objects) -> int:
    """Its place among the objects of an image: the largest that is no crowd, of equals the first."""
    return int(torch.where(objects.crowd, -1.0, objects.areas).argmax())


def seen_regions(proposed: Proposed, placement: Placement) -> SeenRegions:
    """Moved along with the image, cut at the borders of what is seen; without those of which hardly a pixel is left."""
    boxes = placement.boxes(torch.from_numpy(proposed.boxes))
    seen = (boxes[:, 2:] - boxes[:, :2] >= SMALLEST_OBJECT).all(dim=1)
    return SeenRegions(boxes[seen], torch.from_numpy(proposed.scores)[seen])


def unlabelled(image: UInt8[Tensor, "3 height width"], resize: Resize, proposed: Proposed | None = None) -> Sample:
    """A whole image as the network takes it, perhaps with regions, of which nobody says what is in it."""
    placement = resize.whole(*image.shape[1:])
    return Sample(
        image=placement.image(image),
        geometry=placement.geometry,
        original_size=torch.tensor(image.shape[1:]),
        image_id=torch.tensor(0),
        address=torch.zeros(3, dtype=torch.int64),
        regions=seen_regions(proposed, placement) if proposed else None,
    )


def collate(samples: Sequence[Sample], multiple: int = 1, padding: tuple[int, ...] = BLACK) -> Batch:
    """Pads images to one size, a multiple of `multiple`, with one colour, and targets to one number of rows."""
    return Batch(
        images=_stack_images([sample.image for sample in samples], multiple, padding),
        targets=_stack_targets(samples, multiple),
        geometry=torch.stack([sample.geometry for sample in samples]),
        original_sizes=torch.stack([sample.original_size for sample in samples]),
        image_ids=torch.stack([sample.image_id for sample in samples]),
        addresses=torch.stack([sample.address for sample in samples]),
        regions=stack_regions([sample.regions for sample in samples]) if samples[0].regions else None,
    )


def stack_regions(seen: Sequence[SeenRegions]) -> Regions:
    """Those of several images, padded to one number of rows."""
    counts = torch.tensor([len(each.boxes) for each in seen])
    rows = _round_up(max(1, int(counts.max())), OBJECTS_MULTIPLE)
    return Regions(
        boxes=torch.stack([_pad_rows(each.boxes, rows) for each in seen]),
        scores=torch.stack([_pad_rows(each.scores, rows) for each in seen]),
        valid=torch.arange(rows) < counts[:, None],
    )


def _stack_targets(samples: Sequence[Sample], multiple: int) -> Targets:
    """What the samples have; rows of objects are padded to one number."""
    label = torch.stack([sample.label for sample in samples]) if samples[0].label is not None else None
    maps = [sample.label_map for sample in samples if sample.label_map is not None]
    of_images = {"label": label, "label_map": _stack_label_maps(maps, multiple) if maps else None}
    if samples[0].labels is None:
        names = [name for name in ("boxes", "keypoints") if getattr(samples[0], name) is not None]
        of_one = {name: torch.stack([getattr(sample, name) for sample in samples]) for name in names}
        return Targets(**of_one, **of_images)
    counts = torch.tensor([len(sample.labels) for sample in samples])
    rows = _round_up(max(1, int(counts.max())), OBJECTS_MULTIPLE)
    masks = [_pad_rows(sample.masks, rows) for sample in samples if sample.masks is not None]
    keypoints = [_pad_rows(sample.keypoints, rows) for sample in samples if sample.keypoints is not None]
    return Targets(
        boxes=torch.stack([_pad_rows(sample.boxes, rows) for sample in samples]),
        labels=torch.stack([_pad_rows(sample.labels, rows) for sample in samples]),
        valid=torch.arange(rows) < counts[:, None],
        masks=_stack_masks(masks, multiple) if masks else None,
        keypoints=torch.stack(keypoints) if keypoints else None,
        **of_images,
    )


def _stack_label_maps(maps: Sequence[UInt8[Tensor, "_ _"]], multiple: int) -> UInt8[Tensor, "B H W"]:
    """Where an image is padded nothing is to be learnt."""
    return _stack_images([each[None] for each in maps], multiple, (IGNORED,))[:, 0]


def _stack_masks(masks: Sequence[UInt8[Tensor, "N _ _"]], multiple: int) -> UInt8[Tensor, "B N H W8"]:
    height = _round_up(max(mask.shape[1] for mask in masks), multiple)
    width = max(mask.shape[2] for mask in masks)
    batch = masks[0].new_zeros(len(masks), len(masks[0]), height, -(-_round_up(8 * width, multiple) // 8))
    for place, mask in zip(batch, masks, strict=True):
        place[:, : mask.shape[1], : mask.shape[2]] = mask
    return batch


def _stack_images(
    images: Sequence[UInt8[Tensor, "C _ _"]], multiple: int, padding: tuple[int, ...] = BLACK
) -> UInt8[Tensor, "B C H W"]:
    """In contiguous memory, of the colour `padding` right of and below an image that is smaller than the largest."""
    height = _round_up(max(image.shape[1] for image in images), multiple)
    width = _round_up(max(image.shape[2] for image in images), multiple)
    batch = images[0].new_zeros(len(images), len(images[0]), height, width)
    if padding != BLACK:
        batch.copy_(batch.new_tensor(padding)[:, None, None])
    for place, image in zip(batch, images, strict=True):
        place[:, : image.shape[1], : image.shape[2]] = image
    return batch


def _pad_rows(tensor: Tensor, rows: int) -> Tensor:
    return pad(tensor, (0, 0) * (tensor.ndim - 1) + (0, rows - len(tensor)))


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
