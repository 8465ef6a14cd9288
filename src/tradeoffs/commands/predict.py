"""What `predict.py` does: find objects in images or a video, draw them, and write them down in COCO's format."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from omegaconf import DictConfig, OmegaConf
from tqdm import tqdm

from tradeoffs.commands.detections_file import coco_content, show, show_frames
from tradeoffs.commands.prediction_folder import (
    CONTENT,
    LABEL_MAPS,
    PICTURES,
    earlier_pictures,
    label_map_of,
    picture_names,
    replacing,
    require_free,
    require_writable,
)
from tradeoffs.errors import UserError
from tradeoffs.inference.address import at_hand
from tradeoffs.inference.image_search import camera_of, find_images, is_video, videos_beside
from tradeoffs.inference.items import files_of, frames_of
from tradeoffs.inference.pipeline import THREADS, ahead
from tradeoffs.inference.prediction import Prediction
from tradeoffs.inference.predictor import Predictor
from tradeoffs.inference.video import Video, VideoFile
from tradeoffs.pictures import save_picture
from tradeoffs.runs.load import predictor_of
from tradeoffs.runs.score_threshold import Threshold, threshold_of
from tradeoffs.runs.weights import weights_of
from tradeoffs.settings.saved_runs import find_run

Given = TypeVar("Given")


def predict(config: DictConfig) -> None:
    """Writes `pictures/` and `predictions.json` into `output`, in place of what an earlier call wrote there.

    Unreadable files are left out and named at the end. An EXIF orientation is followed: boxes are in pixels of the
    upright image. Raises UserError if no file is readable, or `output` cannot be written or holds files of others.
    """
    output = Path(config.output)
    require_writable(output)
    earlier = earlier_pictures(output)
    with at_hand(str(config.source)) as place:
        camera = camera_of(place)
        if camera is not None or (is_video(place) and Path(place).is_file()):
            if camera is None and is_one_of(Path(place), earlier):
                raise UserError(f"source={config.source} is what predict.py drew itself; give the video it is of")
            predict_video(config, Video(Path(place) if camera is None else camera), output, earlier)
        else:
            predict_photos(config, str(place), output, earlier)


def predict_photos(config: DictConfig, source: str, output: Path, earlier: list[Path]) -> None:
    files = find_images(source, besides=earlier)
    pictures = picture_names([file.name for file in files])
    require_free(output, pictures.values(), earlier)
    predictor, threshold = load_predictor(config)
    faults: list[str] = []
    with replacing(output, earlier) as place:

        def draw(found: Prediction) -> Prediction:
            save_picture(found.drawn(), place / PICTURES / pictures[found.name])
            if found.regions is not None:
                values = label_map_of(pictures[found.name])
                found.regions.save(place / LABEL_MAPS / values, predictor.category_ids)
            return found.light()

        shown = progress(files, len(files), f"images{seen_by(predictor)}")
        with ThreadPoolExecutor(THREADS) as pool:
            detected = predictor.find(files_of(shown), faults=faults)
            found = list(ahead(pool, draw, detected, config.batch_size))
        if not found:
            raise UserError(f"source={config.source} has no readable image:", tuple(faults))
        write_content(place, found, predictor, pictures)
    videos = [] if Path(source).is_file() else videos_beside(source)
    show(output, found, threshold, faults, [path for path in videos if not is_one_of(path, earlier)])


def is_one_of(path: Path, others: Iterable[Path]) -> bool:
    return path.resolve() in {other.resolve() for other in others}


def predict_video(config: DictConfig, video: Video, output: Path, earlier: list[Path]) -> None:
    """One picture, which is a video. Ctrl-C, by which a camera ends, keeps what was done before."""
    (picture,) = picture_names([Path(video.name)], f".{config.video}").values()
    require_free(output, [picture], earlier)
    predictor, threshold = load_predictor(config)
    faults: list[str] = []
    found: list[Prediction] = []
    stopped, begun = False, time.monotonic()
    with replacing(output, earlier) as place:
        try:
            with ThreadPoolExecutor(THREADS) as pool, VideoFile(place / PICTURES / picture, video.rate) as written:
                items = progress(frames_of(video, faults), video.stated, f"frames{seen_by(predictor)}")
                drawn = ahead(pool, lambda each: (each, each.drawn()), predictor.find(items), config.batch_size)
                for each, frame in drawn:
                    written.write(frame, each.seconds if video.is_camera else None)
                    found.append(each.light())
        except KeyboardInterrupt:
            stopped = True
        if not found:
            raise KeyboardInterrupt if stopped else UserError(f"no frame of {video.name} could be read")
        write_content(place, found, predictor, {each.name: picture for each in found})
    if stopped:
        faults = [f"stopped by Ctrl-C; {len(found)} frames are kept"]
    show_frames(output / PICTURES / picture, found, threshold, time.monotonic() - begun, faults)
    if stopped and not video.is_camera:
        raise KeyboardInterrupt


def load_predictor(config: DictConfig) -> tuple[Predictor, Threshold]:
    run = find_run(config.run)
    weights = weights_of(run, config.checkpoint)
    threshold = threshold_of(config.min_score, run, weights)
    if threshold.score < (least := OmegaConf.select(config, "model.score_threshold") or 0.0):
        threshold = Threshold(least, "model.score_threshold, below which the network says nothing")
    return predictor_of(config, weights, config.device, threshold.score), threshold


def write_content(place: Path, found: list[Prediction], predictor: Predictor, pictures: dict[Path, Path]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    skeleton = getattr(predictor, "skeleton", None)
    content = coco_content(found, predictor.class_names, predictor.category_ids, pictures, skeleton)
    (place / CONTENT).write_text(json.dumps(content))


def seen_by(predictor: Predictor) -> str:
    """What takes most of the time, where that is not the network."""
    return f" (regions by {predictor.proposer.name})" if predictor.proposer else ""


def progress(items: Iterable[Given], total: int | None, what: str = "images", seconds: float = 10.0) -> Iterator[Given]:
    """A bar in a terminal; elsewhere a line every `seconds` seconds."""
    if sys.stdout.isatty():
        yield from tqdm(items, total=total, unit=f" {what}", leave=False, file=sys.stdout)
        return
    shown_at = time.monotonic()
    of_total, width = ("", 0) if total is None else (f"/{total}", len(str(total)))
    for done, item in enumerate(items):
        if time.monotonic() - shown_at >= seconds:
            shown_at = time.monotonic()
            print(f"prediction  {done:>{width}}{of_total} {what}", flush=True)
        yield item
