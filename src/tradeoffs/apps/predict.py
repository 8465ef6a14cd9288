"""What `predict.py` does: find objects in any images, draw them, and write them down in COCO's format.

Images pass through three stages that work at once: threads read, the network takes batches, threads draw.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import UInt8
from omegaconf import DictConfig
from torch import Tensor, nn
from tqdm import tqdm

from tradeoffs.apps.build import build_model
from tradeoffs.apps.found import Found, coco_content, show
from tradeoffs.apps.image_search import ImageFile, find_images
from tradeoffs.apps.prediction_folder import (
    CONTENT,
    PICTURES,
    earlier_pictures,
    picture_name,
    replacing,
    require_free,
    require_writable,
)
from tradeoffs.apps.saved_runs import find_run
from tradeoffs.apps.weights import Weights, find_weights, put_weights, read_weights
from tradeoffs.data.image_file import read_image
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Sample, collate
from tradeoffs.errors import UserError
from tradeoffs.measure.fuse import fuse_for_inference
from tradeoffs.pictures import draw_boxes
from tradeoffs.structures import to_original
from tradeoffs.training.pictures import save_picture

Given, Made = TypeVar("Given"), TypeVar("Made")

THREADS = min(8, os.cpu_count() or 1)
SMALLEST_PICTURE = 480  # pixels of the longer side; smaller images are enlarged, so that names can be read


class Picture(NamedTuple):
    """An image as it is in its file, and as the network takes it."""

    file: ImageFile
    image: UInt8[Tensor, "3 height width"]
    sample: Sample


def predict(config: DictConfig) -> None:
    """Writes `pictures/` and `predictions.json` into `output`, in place of what an earlier call wrote there.

    Unreadable files are left out and named at the end. An EXIF orientation is followed: boxes are in pixels of the
    upright image. Raises UserError if no file is readable, or `output` cannot be written or holds files of others.
    """
    output = Path(config.output)
    require_writable(output)
    earlier = earlier_pictures(output)
    files = find_images(str(config.source), besides=earlier)
    require_free(output, [file.name for file in files], earlier)
    weights = read_weights(find_weights(find_run(config.run), config.checkpoint))
    network = prepare_network(config, weights)
    faults: list[str] = []
    with replacing(output, earlier) as place:
        found = list(find_objects(config, network, weights, files, place / PICTURES, faults))
        if not found:
            raise UserError(f"source={config.source} has no readable image:", tuple(faults))
        content = coco_content(found, weights.class_names, weights.category_ids)
        (place / CONTENT).write_text(json.dumps(content))
    show(output, found, weights.class_names, config.min_score, faults)


def find_objects(
    config: DictConfig, network: nn.Module, weights: Weights, files: list[ImageFile], folder: Path, faults: list[str]
) -> Iterator[Found]:
    """What is in each image, which is drawn into `folder` as well; why a file cannot be read is added to `faults`."""
    resize = Resize(config.resize, config.image_size)
    read = partial(read_picture, resize=resize)
    draw = partial(draw_found, folder=folder, class_names=weights.class_names)
    with ThreadPoolExecutor(THREADS) as pool:
        pictures = progress(ahead(pool, read, files, config.batch_size), len(files))
        batches = batched(readable(pictures, faults), config.batch_size)
        detected = detect(network, batches, resize.multiple, config.min_score)
        yield from ahead(pool, draw, detected, config.batch_size)


def prepare_network(config: DictConfig, weights: Weights) -> nn.Module:
    """The trained model as it is fastest, on a GPU if there is one."""
    model = build_model(config, len(weights.class_names))
    put_weights(weights, model)
    if hasattr(model, "score_threshold"):  # weaker boxes suppress none that are kept, and cost time
        model.score_threshold = max(model.score_threshold, config.min_score)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    anything = torch.randint(256, (1, 3, config.image_size, config.image_size), dtype=torch.uint8, device=device)
    return fuse_for_inference(model.to(device), anything, channels_last=True)


def ahead(
    pool: ThreadPoolExecutor, function: Callable[[Given], Made], items: Iterable[Given], count: int
) -> Iterator[Made]:
    """function(item) of each, in order; the pool works on the next `count` while the caller uses the last."""
    begun: deque[Future[Made]] = deque()
    for item in items:
        begun.append(pool.submit(function, item))
        if len(begun) > count:
            yield begun.popleft().result()
    while begun:
        yield begun.popleft().result()


def read_picture(file: ImageFile, resize: Resize) -> Picture | str:
    """Or why it cannot be read, in one line."""
    try:
        image = read_image(file.path, upright=True)
    except UserError as error:
        return str(error)
    resized, geometry = resize(image)
    sample = Sample(
        image=resized,
        boxes=torch.zeros(0, 4),
        labels=torch.zeros(0, dtype=torch.int64),
        masks=None,
        keypoints=None,
        geometry=geometry,
        original_size=torch.tensor(image.shape[1:]),
        image_id=torch.tensor(0),
        address=torch.zeros(3, dtype=torch.int64),
    )
    return Picture(file, image, sample)


def readable(pictures: Iterable[Picture | str], faults: list[str]) -> Iterator[Picture]:
    """The pictures; what is none is added to `faults`."""
    for picture in pictures:
        if isinstance(picture, str):
            faults.append(picture)
        else:
            yield picture


def batched(pictures: Iterator[Picture], size: int) -> Iterator[list[Picture]]:
    while batch := list(islice(pictures, size)):
        yield batch


def detect(
    network: nn.Module, batches: Iterable[list[Picture]], multiple: int, min_score: float
) -> Iterator[tuple[Picture, Found]]:
    """Inputs of different size are padded to a multiple of `multiple` pixels, as in training."""
    device = next(network.parameters()).device
    for pictures in batches:
        batch = collate([picture.sample for picture in pictures], multiple).to(device)
        with torch.inference_mode():
            detections = to_original(network.predict(batch.images), batch).to("cpu")
        sure = detections.valid & (detections.scores >= min_score)
        for row, picture in enumerate(pictures):
            rows = (tensor[row][sure[row]] for tensor in (detections.boxes, detections.scores, detections.labels))
            yield picture, Found(picture.file.name, tuple(picture.image.shape[1:]), *rows)


def draw_found(pictured: tuple[Picture, Found], folder: Path, class_names: list[str]) -> Found:
    """Draws into a file below `folder`."""
    picture, found = pictured
    labels = found.labels.tolist()
    names = [class_names[label] for label in labels]
    scale = max(1.0, SMALLEST_PICTURE / max(found.size))
    drawn = draw_boxes(picture.image, found.boxes, names, found.scores, classes=labels, scale=scale)
    save_picture(drawn, folder / picture_name(found.name))
    return found


def progress(pictures: Iterable[Given], total: int, seconds: float = 10.0) -> Iterator[Given]:
    """A bar in a terminal; elsewhere a line every `seconds` seconds."""
    if sys.stdout.isatty():
        yield from tqdm(pictures, total=total, unit=" images", leave=False, file=sys.stdout)
        return
    shown_at = time.monotonic()
    for done, picture in enumerate(pictures):
        if time.monotonic() - shown_at >= seconds:
            shown_at = time.monotonic()
            print(f"prediction  {done:>{len(str(total))}}/{total} images", flush=True)
        yield picture
