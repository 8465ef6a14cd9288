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
    """With what was found from this score on, by default the run's best. Raises UserError for what is not there."""
    from tradeoffs.dashboard import drawing  # with torch, which takes seconds, and only pictures need it

    record, _ = store.record_and_row(run)
    images, annotations = place_of_data(store, run)
    asked = annotations_of(record.who.task)
    data, places = read_data(images, annotations, annotations.stat().st_mtime_ns, "label_map" in asked)
    if image_id not in places:
        raise UserError(f"the data of {run} has no image {image_id}")
    place = places[image_id]
    if not (images / data.file_names[place]).resolve().is_relative_to(images.resolve()):
        raise UserError(f"image {image_id} lies outside the folder of its data set")
    predictions = store.file(run, "predictions.json")
    found = read_predictions(predictions, predictions.stat().st_mtime_ns).get(image_id, [])
    if "label_map" in asked:
        return as_jpeg(drawing.pixel_classes(data, place, found))
    if "person" in asked and (record.accuracy.get("person_boxes") or {}).get("source") != "model":
        return as_jpeg(drawing.people(data, place, found))
    usual = USUAL_SCORE if "person" in asked else threshold_of(store, run)
    found = [each for each in found if each["score"] >= (usual if score is None else score)]
    if "person" in asked:
        return as_jpeg(drawing.detected_people(data, place, found))
    return as_jpeg(drawing.objects(data, place, found, only_main=labels_images(record.who.task)))


def says_only(found: list[dict]) -> bool:
    """Whether it is said of the whole image, so that no box can be missed."""
    return any("caption" in each and "bbox" not in each for each in found)


def as_jpeg(picture: Tensor) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
