"""The people of a split: one sample for each, by the boxes of the truth or by those of a detector."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from numpy import ndarray
from torch.utils.data import Dataset

from tradeoffs.data.annotation_file import is_box, is_number
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.person_views import PersonViews
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Address, Sample
from tradeoffs.errors import UserError
from tradeoffs.ops.boxes import iou
from tradeoffs.ops.keypoints import swapped
from tradeoffs.task_facts import TRUTH

SAME_PERSON = 0.5  # intersection over union from which on a detector's box is one of an annotated person


class People(NamedTuple):
    """Of P persons; those of one image stand together where they come from the truth."""

    images: Int64[ndarray, " P"]  # places in the data set
    boxes: Float32[ndarray, "P 4"]  # xyxy in pixels of the image file
    scores: Float64[ndarray, " P"]  # of the boxes; 1 for the truth
    keypoints: Float32[ndarray, "P J 3"]  # unlabelled (all zero) where nobody knows them
    head_sizes: Float64[ndarray, " P"]  # in pixels; nan where unknown
    truth: Int64[ndarray, " P"]  # which of the annotated people it is, -1 for none


def annotated_people(dataset: CocoDataset) -> People:
    """All with a labelled joint and a box, without crowds. Raises UserError where there are none."""
    if dataset.skeleton is None:
        raise UserError(
            f"{dataset.annotations_path} has no class with keypoints; poses are learnt from data with them, such as "
            "data=shapes, or data=coco data.source.kind=person_keypoints"
        )
    images, objects, keypoints = dataset.all_objects()
    boxes = objects.boxes.numpy()
    labelled = (keypoints[..., 2] > 0).any(dim=1).numpy()
    rows = np.flatnonzero(labelled & ~objects.crowd.numpy() & (boxes[:, 2:] > boxes[:, :2]).all(axis=1))
    if not len(rows):
        raise UserError(f"{dataset.annotations_path} has no person with a labelled joint; there is nothing to learn")
    numbers = np.arange(len(rows))
    columns = (images, boxes, np.ones(len(images)), keypoints.numpy(), dataset.head_sizes)
    return People(*(column[rows] for column in columns), numbers)


def people_of(dataset: CocoDataset, boxes: str = TRUTH) -> People:
    """By the boxes of the truth, or of a detector's `predictions.json` (COCO's results format).

    A detector's box is that annotated person whose box it overlaps most, half or more; boxes of higher score choose
    first. Raises UserError for a file without boxes of persons in these images.
    """
    truth = annotated_people(dataset)
    if boxes == TRUTH:
        return truth
    found = list(read_boxes(Path(boxes), dataset))
    if not found:
        name = dataset.skeleton.category_name
        raise UserError(
            f"{boxes} has no box of category {dataset.skeleton.category_id} ({name}) in an image of "
            f"{dataset.annotations_path}; give the predictions of a detector on the same images"
        )
    found.sort(key=lambda each: (each[0], -each[2]))
    images, corners, scores = (np.array(column) for column in zip(*found, strict=True))
    corners = corners.astype(np.float32).reshape(-1, 4)
    whose = match(images, corners, truth)
    known = whose >= 0
    keypoints = np.where(known[:, None, None], truth.keypoints[whose], 0).astype(np.float32)
    heads = np.where(known, truth.head_sizes[whose], np.nan)
    return People(images, corners, scores.astype(np.float64), keypoints, heads, whose)


def read_boxes(file: Path, dataset: CocoDataset) -> Iterator[tuple[int, list[float], float]]:
    """Place of the image, corners and score of each person's box; those of other classes and images are left out."""
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{file} cannot be read; give a detector's predictions.json") from None
    if not isinstance(content, list):
        raise UserError(
            f"{file} is no list of detections; give the predictions.json that train.py or evaluate.py wrote"
        )
    places = {image_id: place for place, image_id in enumerate(dataset.image_ids)}
    for number, each in enumerate(content):
        if not (isinstance(each, dict) and is_box(each.get("bbox")) and is_number(each.get("score"))):
            raise UserError(f"{file}: entry {number} has no bbox and score; give the predictions of a detector")
        left, top, width, height = each["bbox"]
        of_person = each.get("category_id") == dataset.skeleton.category_id and each.get("image_id") in places
        if of_person and width > 0 and height > 0:
            yield places[each["image_id"]], [left, top, left + width, top + height], float(each["score"])


def match(images: Int64[ndarray, " P"], boxes: Float32[ndarray, "P 4"], truth: People) -> Int64[ndarray, " P"]:
    """For each box, in the order in which they choose, the annotated person that it is of, or -1."""
    whose = np.full(len(images), -1)
    annotated = by_image(truth.images)
    for image, rows in by_image(images).items():
        if (own := annotated.get(image)) is None:
            continue
        overlaps = iou(torch.from_numpy(boxes[rows]), torch.from_numpy(truth.boxes[own])).numpy()
        for row in np.flatnonzero((overlaps >= SAME_PERSON).any(axis=1)):  # few of a detector's boxes
            best = overlaps[row].argmax()
            if overlaps[row, best] >= SAME_PERSON:
                whose[rows[row]] = own[best]
                overlaps[:, best] = -1
    return whose


def by_image(images: Int64[ndarray, " P"]) -> dict[int, Int64[ndarray, " _"]]:
    """The rows of each image, in their order."""
    order = np.argsort(images, kind="stable")
    once, first = np.unique(images[order], return_index=True)
    return dict(zip(once.tolist(), np.split(order, first[1:]), strict=False))  # of nothing there is one empty part


class PersonSamples(Dataset[Sample]):
    """Reads, cuts out and augments. What a sample looks like depends on (seed, epoch, index) and nothing else."""

    def __init__(
        self, dataset: CocoDataset, people: People, resize: Resize, views: PersonViews | None = None, seed: int = 0
    ):
        self.dataset, self.people, self.resize = dataset, people, resize
        self.views = views or PersonViews()
        self.seed = seed
        self.swapped = swapped(dataset.keypoint_names)

    def __len__(self) -> int:
        return len(self.people.images)

    def __getitem__(self, address: Address) -> Sample:
        epoch, index = address
        place = int(self.people.images[index])
        image = self.dataset.read_image(place)
        rng = np.random.default_rng((self.seed, epoch, index))
        view = self.views.draw(self.people.boxes[index].tolist(), self.resize.image_size, rng)
        keypoints = view.keypoints(torch.from_numpy(self.people.keypoints[index]), self.swapped)
        return Sample(
            image=view.image(image),
            geometry=view.geometry,
            original_size=torch.tensor(image.shape[1:]),
            image_id=torch.tensor(self.dataset.image_ids[place]),
            address=torch.tensor([self.seed, epoch, index]),
            keypoints=keypoints[None],
        )
