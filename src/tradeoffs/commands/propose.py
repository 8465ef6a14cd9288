"""What `python -m tradeoffs.proposals` does: regions for the images of a split, kept, scored and timed."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64
from omegaconf import DictConfig
from torch import Tensor

from tradeoffs.commands.benchmark_tables import digits, print_whole, table_of
from tradeoffs.commands.trainer import quieten
from tradeoffs.data.check import check_dataset
from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.faults import require_sound
from tradeoffs.data.regions import DatasetRegions, regions_of
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.measure.environment import describe_environment
from tradeoffs.proposals.proposer import Proposer
from tradeoffs.proposals.recall import (
    COUNTS,
    THRESHOLDS,
    average_recall,
    best_overlaps,
    mean_average_best_overlap,
    recalls,
)
from tradeoffs.runs.build import build
from tradeoffs.runs.data_hashes import data_now
from tradeoffs.runs.folder import save_config

TIMED = 5  # images
SHOWN = {"recall at 0.5": 0, "at 0.7": 4}  # of the thresholds


class Curve(NamedTuple):
    """By the number of regions of an image that are looked at, the best ones."""

    counts: Sequence[int]
    recall: Float64[Tensor, "G K"]  # at the thresholds of COCO
    average_recall: Float64[Tensor, " G"]
    mabo: Float64[Tensor, " G"]
    objects: int


def propose(config: DictConfig) -> None:
    """Writes scores into the folder of the command, and prints them."""
    quieten()
    proposer = build(config, "proposals")
    dataset = read_split(config)
    regions = regions_of(dataset, proposer, Path(config.data_dir) / "proposals", images=config.images)
    curve, per_image = score(dataset, regions)
    timing = timed(dataset, proposer, len(regions)) if regions.computed or config.measure else None
    folder = Path(config.runs) / "proposals" / config.name
    save_config(config, folder)
    write_whole(folder / "recall.csv", recall_csv(curve))
    summary = {
        "proposals": proposer.identity,
        "data": {"name": config.data.name, "split": config.split, **data_now(config, [config.split])},
        "images": len(regions),
        "objects": curve.objects,
        "regions_per_image": per_image,
        "by_count": by_count(curve),
        "milliseconds_per_image": timing,
    }
    write_whole(folder / "summary.json", json.dumps(summary, indent=2))
    show(summary)
    print(f"regions  {regions.store.folder}")
    print(f"scores   {folder}")


def read_split(config: DictConfig) -> CocoDataset:
    """Checked. Raises UserError for bad data."""
    split = build(config.data, "source")(config.split)
    left_out = require_sound({split.annotations: check_dataset(*split)}, config.data.on_fault)
    return CocoDataset(*split, *left_out[split.annotations], with_masks=False)


def score(dataset: CocoDataset, regions: DatasetRegions) -> tuple[Curve, float]:
    """With the mean number of regions. Raises UserError where there is no object to be found."""
    found = [len(regions[place].scores) for place in range(len(regions))]
    counts = [*COUNTS, *([max(found)] if max(found) > COUNTS[-1] else [])]
    best, labels = overlaps(dataset, regions, counts)
    if not len(labels):
        raise UserError(f"these images have no objects to be found; their regions are kept in {regions.store.folder}")
    curve = Curve(
        counts, recalls(best), average_recall(best), mean_average_best_overlap(best, labels), objects=len(labels)
    )
    return curve, float(np.mean(found))


def overlaps(
    dataset: CocoDataset, regions: DatasetRegions, counts: Sequence[int]
) -> tuple[Float64[Tensor, "T G"], Int64[Tensor, " T"]]:
    """Of all objects, and their labels. Crowds are none."""
    best, labels = [], []
    for place in range(len(regions)):
        objects = dataset.objects(place)
        best.append(best_overlaps(objects.boxes[~objects.crowd], torch.from_numpy(regions[place].boxes), counts))
        labels.append(objects.labels[~objects.crowd])
    return torch.cat(best), torch.cat(labels)


def timed(dataset: CocoDataset, proposer: Proposer, images: int) -> dict[str, Any]:
    """Of the first images, one after another: from pixels in memory to boxes."""
    where, times = describe_environment(proposer.device), []
    for place in range(min(TIMED, images)):
        image = dataset.read_image(place)
        began = time.perf_counter()
        proposer(image)
        times.append(1000 * (time.perf_counter() - began))
    return {"median": median(times), "images": len(times), "where": where}


def recall_csv(curve: Curve) -> str:
    file = StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(("n", "iou", "recall"))
    for count, row in zip(curve.counts, curve.recall.tolist(), strict=True):
        writer.writerows((count, f"{iou:.2f}", f"{recall:.6g}") for iou, recall in zip(THRESHOLDS, row, strict=True))
    return file.getvalue()


def by_count(curve: Curve) -> list[dict[str, float]]:
    columns = {"regions": curve.counts}
    columns |= {name: curve.recall[:, place].tolist() for name, place in SHOWN.items()}
    columns |= {"average recall": curve.average_recall.tolist(), "MABO": curve.mabo.tolist()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def show(summary: dict[str, Any]) -> None:
    rows, timing = summary["by_count"], summary["milliseconds_per_image"]
    what = f"{summary['objects']:,} objects in {summary['images']:,} images of {summary['data']['name']}"
    scores = {name: [f"{row[name]:.3f}" for row in rows] for name in rows[0] if name != "regions"}
    print_whole(table_of("", {"regions": [f"{row['regions']:,}" for row in rows], **scores}))
    print(f"{summary['proposals']['name']}: {what}, {summary['regions_per_image']:,.0f} regions an image")
    if timing:
        median_ms, device = digits(timing["median"]), timing["where"]["device"]
        print(f"{median_ms} ms an image on {device}: the median of {timing['images']}, one after another")
