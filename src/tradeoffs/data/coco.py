"""Reads one split in COCO format: images, boxes, masks, keypoints, crowd regions."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt8
from torch import Tensor

from tradeoffs.data.annotation_file import (
    TOP_LEVEL_KEYS,
    are_keypoints,
    area_of,
    is_number,
    read_annotation_file,
    without_copies,
)
from tradeoffs.data.image_file import read_image
from tradeoffs.data.packed_list import PackedList
from tradeoffs.data.run_lengths import encode
from tradeoffs.data.segmentation import BACKGROUND, decode, label_of_unmarked, paint
from tradeoffs.data.skeleton import skeleton_of
from tradeoffs.errors import UserError
from tradeoffs.ops.keypoints import flip_pairs


class Objects(NamedTuple):
    """What is in one image, in the annotation file's order. Boxes are cut at the image's borders."""

    boxes: Float[Tensor, "n 4"]  # xyxy in pixels of the image file
    labels: Int64[Tensor, " n"]  # 0..K-1
    crowd: Bool[Tensor, " n"]  # a region of many objects: neither to be found nor a mistake
    areas: Float[Tensor, " n"]  # of the mask, in square pixels; of the box where the file has no area


class CocoDataset:
    """One split: a folder of images and its annotation file, held in a few arrays.

    Labels are 0..K-1 by ascending category id, whatever gaps the ids have. Images keep the file's order. Images whose
    ids are in `without_images` and annotations whose places in the file are in `without_annotations` are left out
    everywhere, the metric's ground truth included, and so is an entry that equals an earlier one, id and all.
    `with_masks=False` forgets the segmentations, most of the memory. Raises UserError where the file cannot be read;
    `check.check_dataset` finds all faults of a data set beforehand.
    """

    def __init__(
        self,
        images: Path,
        annotations: Path,
        without_images: Collection[int] = (),
        without_annotations: Collection[int] = (),
        with_masks: bool = True,
    ):
        self.images_dir = Path(images)
        self.annotations_path = Path(annotations)
        self.without_images = frozenset(without_images)
        self.without_annotations = frozenset(without_annotations)
        content = self.ground_truth()
        self._read_categories(content["categories"])
        self._read_images(content["images"])
        self._read_annotations(content["annotations"], with_masks)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def num_objects(self) -> int:
        """Without crowds."""
        return int((~self._crowd).sum())

    @property
    def most_objects(self) -> int:
        """In one image, without crowds."""
        return int(np.bincount(self._image_of_each()[~self._crowd], minlength=1).max())

    def without_objects(self) -> list[int]:
        """Ids of the images in which nothing but crowds is."""
        counts = np.bincount(self._image_of_each()[~self._crowd], minlength=len(self))
        return [self.image_ids[place] for place in np.flatnonzero(counts == 0)]

    def count_smaller(self, sides: Float64[np.ndarray, "M 2"]) -> int:
        """Objects, without crowds, that are lower or narrower than what is given for each image: height, width."""
        extent = self._boxes[:, [3, 2]] - self._boxes[:, [1, 0]]
        return int(((extent < sides[self._image_of_each()]).any(axis=1) & ~self._crowd).sum())

    def _image_of_each(self) -> Int64[np.ndarray, " N"]:
        """The index of each annotation's image."""
        return np.repeat(np.arange(len(self)), np.diff(self._starts))

    @property
    def pixel_class_names(self) -> list[str]:
        """By label, where every pixel is to have a class: those of no object may need one more."""
        return [*self.class_names, *([BACKGROUND] if self.unmarked == len(self.class_names) else [])]

    @property
    def pixel_category_ids(self) -> list[int]:
        """The same; the id of background is one that is free."""
        ids = self.category_ids
        return [*ids, *([0 if 0 not in ids else max(ids) + 1] if self.unmarked == len(ids) else [])]

    @property
    def label_with_keypoints(self) -> int | None:
        """Of the class that has such."""
        return self.category_ids.index(self.skeleton.category_id) if self.skeleton else None

    def image_paths(self) -> set[str]:
        """The paths of all files."""
        folder = self.images_dir.resolve()
        return {os.path.join(folder, self.file_names[index]) for index in range(len(self))}  # noqa: PTH118 (fast)

    def read_image(self, index: int) -> UInt8[Tensor, "3 H W"]:
        """The pixels as RGB, without EXIF rotation; see `image_file.read_image`.

        Raises UserError too where they are not of the size that the annotation file says: boxes would lie elsewhere.
        """
        path = self.images_dir / self.file_names[index]
        image = read_image(path)
        (height, width), stated = image.shape[1:], self.sizes[index].tolist()
        if [height, width] != stated:
            raise UserError(
                f"{path} is {width} x {height} pixels where {self.annotations_path} says {stated[1]} x {stated[0]}; "
                "the photo or the annotations have changed, bring both together again"
            )
        return image

    def objects(self, index: int) -> Objects:
        rows = self._rows(index)
        columns = (self._boxes, self._labels, self._crowd, self._areas)
        return Objects(*(torch.from_numpy(column[rows].copy()) for column in columns))

    def all_objects(self) -> tuple[Int64[np.ndarray, " N"], Objects, Float[Tensor, "N J 3"]]:
        """Of all images: the index of each object's image, the objects, their keypoints."""
        columns = (self._boxes, self._labels, self._crowd, self._areas)
        return self._image_of_each(), Objects(*map(torch.from_numpy, columns)), torch.from_numpy(self._keypoints)

    def masks(self, index: int) -> UInt8[Tensor, "n H W"]:
        """0 or 1, one mask per object. Raises UserError where an object has no segmentation."""
        height, width = map(int, self.sizes[index])
        return decode(self._encoded_masks(index), height, width)

    def label_map(self, index: int) -> UInt8[Tensor, "H W"]:
        """The label of each pixel, by the masks of all objects, crowds too; see `segmentation.paint`."""
        height, width = map(int, self.sizes[index])
        rows = self._rows(index)
        return paint(self._encoded_masks(index), self._labels[rows], self._areas[rows], self.unmarked, height, width)

    def _encoded_masks(self, index: int) -> list[dict]:
        height, width = map(int, self.sizes[index])
        rows = range(*self._rows(index).indices(len(self._labels)))
        encoded = [encode(self._segmentations[row], height, width) for row in rows]
        if None in encoded:
            raise UserError(f"{self.annotations_path}: image {self.image_ids[index]} has objects without segmentation")
        return encoded

    def keypoints(self, index: int) -> Float[Tensor, "n J 3"]:
        """x, y, visibility (0 unlabelled, 1 hidden, 2 visible) in pixels of the image file; all 0 where unlabelled."""
        return torch.from_numpy(self._keypoints[self._rows(index)].copy())

    def ground_truth(self) -> dict:
        """The file's content as the official metric takes it, read again: it is too large to be carried along.

        `iscrowd` is filled in where it lacks, and the box's area where there is none. Annotation ids are counted anew
        unless all are different whole numbers above 0: pycocotools takes a match with the annotation 0 for none.
        """
        content = read_annotation_file(self.annotations_path)
        if self.without_annotations:
            numbered = enumerate(content["annotations"])
            content["annotations"] = [each for number, each in numbered if number not in self.without_annotations]
        content |= {kind: without_copies(content[kind]) for kind in TOP_LEVEL_KEYS}
        content["images"] = [image for image in content["images"] if image["id"] not in self.without_images]
        content["annotations"] = [
            annotation for annotation in content["annotations"] if annotation["image_id"] not in self.without_images
        ]
        _complete(
            content["annotations"], {image["id"]: image["width"] * image["height"] for image in content["images"]}
        )
        return content

    def _read_categories(self, categories: list[dict]) -> None:
        categories = sorted(categories, key=lambda category: category["id"])
        self.category_ids: list[int] = [category["id"] for category in categories]
        self.class_names: list[str] = [category["name"] for category in categories]
        self.unmarked = label_of_unmarked(categories)
        self.skeleton = next(filter(None, map(skeleton_of, categories)), None)
        self.keypoint_names: list[str] = self.skeleton.names if self.skeleton else []
        self.keypoint_flip_pairs: list[tuple[int, int]] = flip_pairs(self.keypoint_names)

    def _read_images(self, images: list[dict]) -> None:
        if not images:
            raise UserError(f"{self.annotations_path} has no images; a split needs at least one")
        self.image_ids: list[int] = [image["id"] for image in images]
        self.file_names = PackedList(image["file_name"] for image in images)
        self.sizes = np.array([(image["height"], image["width"]) for image in images], dtype=np.int64)

    def _read_annotations(self, annotations: list[dict], with_masks: bool) -> None:
        images = self._positions(annotations, "image_id", self.image_ids)
        order = np.argsort(images, kind="stable")
        annotations = [annotations[row] for row in order]
        self._starts = np.searchsorted(images[order], np.arange(len(self) + 1))
        self._labels = self._positions(annotations, "category_id", self.category_ids)
        self._crowd = np.array([annotation["iscrowd"] for annotation in annotations], dtype=bool)
        self._areas = np.array([annotation["area"] for annotation in annotations], dtype=np.float32)
        corners = np.array([annotation["bbox"] for annotation in annotations], dtype=np.float64).reshape(-1, 2, 2)
        corners[:, 1] += corners[:, 0]
        limits = self.sizes[images[order], None, ::-1]
        self._boxes = corners.clip(0, limits).astype(np.float32).reshape(-1, 4)
        self._keypoints = _keypoints(annotations, len(self.keypoint_names))
        sizes = (annotation.get("head_size") for annotation in annotations)
        self.head_sizes = np.array([size if is_number(size) and size > 0 else np.nan for size in sizes])
        kept = annotations if with_masks else [{}] * len(annotations)
        self._segmentations = PackedList(annotation.get("segmentation") for annotation in kept)

    def _positions(self, annotations: list[dict], key: str, ids: list[int]) -> np.ndarray:
        """For each annotation the position of its `key` among `ids`."""
        position = {value: number for number, value in enumerate(ids)}
        try:
            return np.array([position[annotation[key]] for annotation in annotations], dtype=np.int64)
        except KeyError as error:
            raise UserError(f"{self.annotations_path}: an annotation has the unknown {key} {error}") from None

    def _rows(self, index: int) -> slice:
        return slice(*self._starts[[index, index + 1]])


def _keypoints(annotations: list[dict], joints: int) -> np.ndarray:
    """All 0 where there are none, or what is there is no list of them."""
    unlabelled = [0] * (3 * joints)
    given = [annotation.get("keypoints") for annotation in annotations] if joints else []
    flat = [keypoints if keypoints and are_keypoints(keypoints, joints) else unlabelled for keypoints in given]
    return np.array(flat, dtype=np.float32).reshape(len(annotations), joints, 3)


def _complete(annotations: list[dict], largest: dict[int, int]) -> None:
    """`largest` is the area of each image, by id."""
    for annotation in annotations:
        if annotation.get("iscrowd") is None:
            annotation["iscrowd"] = 0
        annotation["area"] = area_of(annotation, largest.get(annotation["image_id"], float("inf")))
    ids = [value for annotation in annotations if type(value := annotation.get("id")) is int and 0 < value < 2**63]
    if len(set(ids)) < len(annotations):
        for number, annotation in enumerate(annotations, 1):
            annotation["id"] = number
