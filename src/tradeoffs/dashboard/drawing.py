"""Photos with what a run found in them, and the truth: a drawing for each kind of annotation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import UInt8
from torch import Tensor
from torchvision.transforms.v2.functional import resize

from tradeoffs.dashboard.pictures import says_only
from tradeoffs.data.coco import CocoDataset, Objects
from tradeoffs.data.samples import main_object
from tradeoffs.data.segmentation import background_of, label_map_of
from tradeoffs.ops.run_lengths import decoded
from tradeoffs.pictures import draw_boxes, draw_label_map, draw_masks, draw_skeletons
from tradeoffs.pictures.skeletons import LEAST_PEAK, LEAST_PROBABILITY

SIDE = 400  # pixels of the longer side, about as many as are shown, so that letters keep their size
Picture = UInt8[Tensor, "3 _h _w"]


def objects(data: CocoDataset, place: int, found: list[dict], only_main: bool = False) -> Picture:
    """Boxes and masks; with `only_main` one class for the image, the first of those that it was taken for."""
    photo, true = data.read_image(place), data.objects(place)
    if only_main:
        found, main = found[:1], main_object(true)
        true = only(true, slice(main, main + 1))
    elif says_only(found):
        true = only(true, slice(0))
    labels = [data.category_ids.index(each["category_id"]) if "category_id" in each else 0 for each in found]
    masked = {number: each["segmentation"] for number, each in enumerate(found) if "segmentation" in each}
    photo = draw_masks(photo, decoded(masked.values()), [labels[number] for number in masked])
    return draw_boxes(
        photo,
        boxes_of(found, [0, 0, photo.shape[2], photo.shape[1]]),
        [said(each) or data.class_names[label] for each, label in zip(found, labels, strict=True)],
        None if any("caption" in each for each in found) else torch.tensor([each["score"] for each in found]),
        truth=true.boxes,
        classes=labels,
        scale=scale_of(photo),
        truth_labels=[data.class_names[label] for label in true.labels.tolist()],
        truth_classes=true.labels.tolist(),
    )


def only(true: Objects, rows: slice) -> Objects:
    return Objects(*(column[rows] for column in true))


def boxes_of(found: list[dict], whole: Sequence[int]) -> Tensor:
    """Corners; what has no box is said of the whole image."""
    boxes = torch.tensor([each.get("bbox", whole) for each in found], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def said(prediction: dict) -> str:
    return " | truth: ".join(str(prediction[key]) for key in ("caption", "truth") if key in prediction)


def pixel_classes(data: CocoDataset, place: int, found: list[dict]) -> Picture:
    """What the pixels of an image were taken for, and their true classes beside."""
    photo, names = data.read_image(place), data.pixel_class_names
    size = [max(1, round(side * scale_of(photo))) for side in photo.shape[1:]]
    predicted = label_map_of(found, data.pixel_category_ids, data.unmarked, *photo.shape[1:])
    maps = [predicted, data.label_map(place)]
    return draw_label_map(resize(photo, size, antialias=True), maps, names, background_of(names))


def skeletons(data: CocoDataset, place: int, found: list[dict], faint: float) -> Picture:
    """The joints that were found, of which `faint` ones are left out, and beside them the true ones."""
    photo = data.read_image(place)
    shape = len(found), len(data.keypoint_names), 3
    joints = torch.tensor([each["keypoints"] for each in found], dtype=torch.float32).reshape(shape)
    both = (joints, faint), (data.keypoints(place), 0.0)
    drawn = [draw_skeletons(photo, each, data.skeleton, scale_of(photo), least) for each, least in both]
    return torch.cat(drawn, dim=-1)


people = partial(skeletons, faint=LEAST_PEAK)
detected_people = partial(skeletons, faint=LEAST_PROBABILITY)


def scale_of(photo: Picture) -> float:
    return SIDE / max(photo.shape[1:])
