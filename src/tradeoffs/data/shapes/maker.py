"""Draws the data set into a folder in COCO format, once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from tradeoffs.data.shapes.annotations import annotate, categories
from tradeoffs.data.shapes.scene import compose
from tradeoffs.errors import UserError

VERSION = 3  # to be raised with every change of what is drawn
SPLITS = ("train", "val")
JPEG_QUALITY = 92

Record = tuple[dict[str, Any], list[dict[str, Any]]]  # an image as COCO writes it down, and its annotations


def make_shapes(
    root: Path, num_train: int = 2000, num_val: int = 400, seed: int = 0, processes: int | None = None
) -> Path:
    """The folder of the data set, below `root`; it is drawn if it is not there yet.

    The folder's name tells version, seed and sizes, so different sets live side by side in one root. It holds
    `train/000000.jpg`, ..., `val/...`, `annotations/train.json`, `annotations/val.json` and `shapes.json`.
    A picture depends on the seed, its split and its number alone: not on `processes` (by default one per core),
    and a larger set begins with the pictures of a smaller one.

    The folder appears under its name only when it is complete. Where several programs draw the same set at
    once, the first to finish wins and the others use its folder.

    Raises:
        UserError: a negative number, or a folder of that name which holds something else.
    """
    recipe = {"version": VERSION, "seed": seed, "num_train": num_train, "num_val": num_val}
    if min(recipe.values()) < 0:
        raise UserError(f"shapes need a seed and sizes of 0 or more, not seed={seed}, {num_train} and {num_val} images")
    root = Path(root)
    folder = folder_of(root, num_train, num_val, seed)
    if not is_finished(folder, recipe):
        root.mkdir(parents=True, exist_ok=True)
        print(f"drawing {num_train + num_val:,} images into {folder}, once", flush=True)
        with TemporaryDirectory(dir=root, prefix=f".{folder.name}-") as scratch:
            draft = Path(scratch) / folder.name
            draw_set(draft, recipe, processes)
            publish(draft, folder, recipe)
    return folder


def folder_of(root: Path, num_train: int = 2000, num_val: int = 400, seed: int = 0) -> Path:
    return root / f"shapes-v{VERSION}-seed{seed}-{num_train}-{num_val}"


def is_finished(folder: Path, recipe: dict[str, int]) -> bool:
    if not folder.exists():
        return False
    note = folder / "shapes.json"
    if note.is_file() and note.read_text() == json.dumps(recipe):
        return True
    raise UserError(f"{folder} holds something other than the data set of that name; move it away or delete it")


def publish(draft: Path, folder: Path, recipe: dict[str, int]) -> None:
    """Gives the finished draft its name, unless somebody else was faster."""
    try:
        draft.rename(folder)
    except OSError:
        if not is_finished(folder, recipe):
            raise


def draw_set(folder: Path, recipe: dict[str, int], processes: int | None) -> None:
    for name in (*SPLITS, "annotations"):
        (folder / name).mkdir(parents=True)
    counts = {split: recipe[f"num_{split}"] for split in SPLITS}
    jobs = [(split, number) for split, count in counts.items() for number in range(count)]
    records = iter(draw_pictures(folder, recipe["seed"], jobs, processes or available_cores()))
    for split, count in counts.items():
        content = coco_format(list(islice(records, count)))
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(content))
    (folder / "shapes.json").write_text(json.dumps(recipe))


def draw_pictures(folder: Path, seed: int, jobs: list[tuple[str, int]], processes: int) -> list[Record]:
    """In the order of the jobs. New processes are spawned: a fork would inherit the locks of the caller's threads."""
    draw = partial(draw_picture, folder, seed)
    progress = partial(tqdm, desc="drawing shapes", total=len(jobs), unit=" images", leave=False, disable=None)
    processes = min(processes, 1 + len(jobs) // 100)  # a process takes half a second to start
    if processes == 1:
        return list(progress(map(draw, jobs)))
    with ProcessPoolExecutor(processes, get_context("spawn"), cv2.setNumThreads, (1,)) as pool:
        try:
            with deaf_to_interrupts():
                records = pool.map(draw, jobs, chunksize=16)
            return list(progress(records))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes started inside never hear Ctrl-C, not even while they are starting; this one hears it afterwards.

    The one who started them ends them, in silence; by themselves each would leave with a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def draw_picture(folder: Path, seed: int, job: tuple[str, int]) -> Record:
    split, number = job
    scene = compose(np.random.default_rng([seed, SPLITS.index(split), number]))
    file_name = f"{number:06d}.jpg"
    bgr = np.ascontiguousarray(scene.picture[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    (folder / split / file_name).write_bytes(data)  # unlike cv2.imwrite this says when the disk is full
    height, width = scene.owner.shape
    return {"id": number, "file_name": file_name, "width": width, "height": height}, annotate(scene)


def coco_format(records: list[Record]) -> dict[str, Any]:
    images = [image for image, _ in records]
    annotations = [{"image_id": image["id"]} | annotation for image, found in records for annotation in found]
    return {
        "info": {"description": "textured shapes and jointed figures", "version": str(VERSION)},
        "images": images,
        # Numbered from 1: pycocotools takes an annotation with id 0 for none.
        "annotations": [{"id": count} | annotation for count, annotation in enumerate(annotations, start=1)],
        "categories": categories(),
    }
