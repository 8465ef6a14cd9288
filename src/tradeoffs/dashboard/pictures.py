"""Images of a run's data set with the truth and what the run found, asked for by the run's name and the image's id."""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from flask import Flask, Response, request

from tradeoffs.dashboard.address import write
from tradeoffs.dashboard.store import Store
from tradeoffs.data.annotation_file import read_annotation_file
from tradeoffs.data.sources import existing_split
from tradeoffs.errors import UserError
from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.metrics.evidence import KINDS, Evidence, load_evidence
from tradeoffs.metrics.mistakes import Mistakes, mistakes
from tradeoffs.results.record import Record
from tradeoffs.task_facts import annotations_of, labels_images

if TYPE_CHECKING:  # torch takes seconds
    from torch import Tensor

    from tradeoffs.data.coco import CocoDataset

SIDE = 400  # pixels of the longer side, about as many as are shown, so that letters keep their size
PATH = "/picture"


def picture_address(run: str, image_id: int, score: float | None = None) -> str:
    """Of an image with what was found with this score or more, by default the run's best."""
    return PATH + write({"run": [run], "image": [str(image_id)], "score": [] if score is None else [str(score)]})


def serve_pictures(server: Flask, store: Store) -> None:
    """The answer to `picture_address`: a JPEG, or one line that says why there is none."""

    @server.get(PATH)
    def picture() -> Response:
        try:
            image_id = int(request.args.get("image", ""))
            score = request.args.get("score")
            content = draw(store, request.args.get("run", ""), image_id, None if score is None else float(score))
        except (UserError, ValueError, OSError) as error:
            return Response(str(error), 404, mimetype="text/plain")
        return Response(content, mimetype="image/jpeg")


def config_of(store: Store, run: str, record: Record) -> dict[str, Any]:
    """The settings of a run, from its record or, in an older schema, from the file beside it."""
    if record.config:
        return record.config
    file = store.file(run, "config.yaml")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
    except yaml.YAMLError:
        content = None
    return content if isinstance(content, dict) else {}


def place_of_data(store: Store, run: str) -> tuple[Path, Path]:
    """Folder of images and annotation file. Raises UserError where the data is not on this machine."""
    record, _ = store.record_and_row(run)
    data = config_of(store, run, record).get("data")
    data = data if isinstance(data, dict) else {}
    split = existing_split(data.get("source") or {}, "val")
    if split is None:
        name = data.get("name", "unknown")
        raise UserError(f"The images of data={name} are not on this machine, or lie elsewhere than when it was scored.")
    return split


def names_of(store: Store, run: str) -> dict[int, str]:
    """The file of each image, by its id. Raises UserError where the data is not on this machine, or damaged."""
    _, annotations = place_of_data(store, run)
    return read_names(annotations, annotations.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def read_names(annotations: Path, written: int) -> dict[int, str]:
    images = read_annotation_file(annotations)["images"]
    return {
        each["id"]: str(each["file_name"]) for each in images if isinstance(each.get("id"), int) and "file_name" in each
    }


def name_of(names: dict[int, str], image_id: int) -> str:
    return names.get(image_id, f"image {image_id}")


def evidence_file(store: Store, run: str) -> Path:
    """Raises UserError where the run has none."""
    for name in KINDS:
        if (file := store.file(run, name)).is_file():
            return file
    raise UserError(f"{run} has neither {' nor '.join(KINDS)}, one of which evaluate.py writes")


def evidence_of(store: Store, run: str) -> Evidence:
    file = evidence_file(store, run)
    return read_evidence(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def read_evidence(file: Path, written: int) -> Evidence:
    return load_evidence(file)


def mistakes_of(store: Store, run: str, threshold: float | None = None) -> Mistakes:
    return mistakes(evidence_of(store, run), threshold)


@lru_cache(maxsize=4)
def read_data(images: Path, annotations: Path, written: int, with_masks: bool = False) -> tuple:
    """The data set, and where in it the image of an id is."""
    from tradeoffs.data.coco import CocoDataset  # torch takes seconds, and only pictures need it

    data = CocoDataset(images, annotations, with_masks=with_masks)
    return data, {image_id: place for place, image_id in enumerate(data.image_ids)}


@lru_cache(maxsize=4)
def read_predictions(file: Path, written: int) -> dict[int, list[dict]]:
    """What was found in each image."""
    found: dict[int, list[dict]] = {}
    for each in json.loads(file.read_text(encoding="utf-8")):
        found.setdefault(each["image_id"], []).append(each)
    return found


def threshold_of(store: Store, run: str) -> float:
    """The score from which on what was found is drawn; 0 where all is."""
    try:
        return mistakes_of(store, run).threshold or 0.0
    except UserError:
        return USUAL_SCORE


def draw(store: Store, run: str, image_id: int, score: float | None = None) -> bytes:
    """With boxes from this score on, by default the run's best. Raises UserError where image or data are not there."""
    import torch

    from tradeoffs.data.coco import Objects
    from tradeoffs.data.samples import main_object
    from tradeoffs.ops.run_lengths import decoded
    from tradeoffs.pictures import draw_boxes, draw_masks
    from tradeoffs.pictures.skeletons import LEAST_PEAK, LEAST_PROBABILITY

    record, _ = store.record_and_row(run)
    images, annotations = place_of_data(store, run)
    in_pixels = "label_map" in annotations_of(record.who.task)
    data, places = read_data(images, annotations, annotations.stat().st_mtime_ns, in_pixels)
    if image_id not in places:
        raise UserError(f"the data of {run} has no image {image_id}")
    place = places[image_id]
    if not (images / data.file_names[place]).resolve().is_relative_to(images.resolve()):
        raise UserError(f"image {image_id} lies outside the folder of its data set")
    predictions = store.file(run, "predictions.json")
    found = read_predictions(predictions, predictions.stat().st_mtime_ns).get(image_id, [])
    if "person" in annotations_of(record.who.task):
        if (record.accuracy.get("person_boxes") or {}).get("source") == "model":
            sure = [each for each in found if each["score"] >= (USUAL_SCORE if score is None else score)]
            return as_jpeg(skeletons(data, place, sure, LEAST_PROBABILITY))
        return as_jpeg(skeletons(data, place, found, LEAST_PEAK))
    if in_pixels:
        return as_jpeg(pixel_classes(data, place, found))
    threshold = threshold_of(store, run) if score is None else score
    found = [each for each in found if each["score"] >= threshold]
    pixels, true = data.read_image(place), data.objects(place)
    if labels_images(record.who.task):  # by the best of the classes that it was taken for
        found, main = found[:1], main_object(true)
        true = Objects(*(column[main : main + 1] for column in true))
    elif says_only(found):
        true = Objects(*(column[:0] for column in true))
    whole = [0, 0, pixels.shape[2], pixels.shape[1]]
    boxes = torch.tensor([each.get("bbox", whole) for each in found], dtype=torch.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    labels = [data.category_ids.index(each["category_id"]) if "category_id" in each else 0 for each in found]
    names = [said(each) or data.class_names[label] for each, label in zip(found, labels, strict=True)]
    masked = [
        (label, each["segmentation"]) for label, each in zip(labels, found, strict=True) if "segmentation" in each
    ]
    pixels = draw_masks(pixels, decoded(code for _, code in masked), [label for label, _ in masked])
    drawn = draw_boxes(
        pixels,
        boxes,
        names,
        None if any("caption" in each for each in found) else torch.tensor([each["score"] for each in found]),
        truth=true.boxes,
        classes=labels,
        scale=SIDE / max(pixels.shape[1:]),
        truth_labels=[data.class_names[label] for label in true.labels.tolist()],
        truth_classes=true.labels.tolist(),
    )
    return as_jpeg(drawn)


def said(prediction: dict) -> str:
    return " | truth: ".join(str(prediction[key]) for key in ("caption", "truth") if key in prediction)


def says_only(found: list[dict]) -> bool:
    """Whether it is said of the whole image, so that no box can be missed."""
    return any("caption" in each and "bbox" not in each for each in found)


def pixel_classes(data: CocoDataset, place: int, found: list[dict]) -> Tensor:
    """What the pixels of an image were taken for, and their true classes beside."""
    from torchvision.transforms.v2.functional import resize

    from tradeoffs.data.segmentation import background_of, label_map_of
    from tradeoffs.pictures import draw_label_map

    photo, names = data.read_image(place), data.pixel_class_names
    size = [max(1, round(side * SIDE / max(photo.shape[1:]))) for side in photo.shape[1:]]
    predicted = label_map_of(found, data.pixel_category_ids, data.unmarked, *photo.shape[1:])
    maps = [predicted, data.label_map(place)]
    return draw_label_map(resize(photo, size, antialias=True), maps, names, background_of(names))


def skeletons(data: CocoDataset, place: int, found: list[dict], faint: float) -> Tensor:
    """The joints that were found, of which `faint` ones are left out, and beside them the true ones."""
    import torch

    from tradeoffs.pictures import draw_skeletons

    photo = data.read_image(place)
    shape = len(found), len(data.keypoint_names), 3
    joints = torch.tensor([each["keypoints"] for each in found], dtype=torch.float32).reshape(shape)
    both = (joints, faint), (data.keypoints(place), 0.0)
    drawn = [draw_skeletons(photo, each, data.skeleton, SIDE / max(photo.shape[1:]), least) for each, least in both]
    return torch.cat(drawn, dim=-1)


def as_jpeg(picture: Tensor) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
