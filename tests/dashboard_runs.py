"""Folders of runs as training leaves them, in a moment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tradeoffs.dashboard.figures import figures_of
from tradeoffs.data.annotation_file import read_annotation_file
from tradeoffs.metrics import official
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.matches import matches_of
from tradeoffs.results.record import Identity, Record, write_record

FIGURES = figures_of(pd.DataFrame({"headline": []}), pd.DataFrame())  # of the first task
CURVES = "step,loss,val/loss,val/mAP,learning_rate\n9,4.5,,,0.001\n12,,4.1,0.1,\n19,3.5,,,0.0005\n24,,3.2,0.2,\n"
SIZES = {"AP_small": 0.5, "AP_medium": 0.9, "AP_large": 1.3, "AR100": 1.2}
RESNET = "resnet101"  # which, unlike many, is in the paper's table of backbones


def write_run(
    runs: Path, name: str, score: float | None = 0.3, ms: float | None = 20.0, trained: bool = True, **changes: Any
) -> Path:
    """A record; `changes` are of who it is, or `device`, `config`, `proposals`, `memory`, or `own` of its training."""
    device, own = changes.pop("device", "a processor"), changes.pop("own", True)
    config = {"batch_size": 8, "model": {"num_proposals": changes.pop("proposals", None)}, **changes.pop("config", {})}
    memory, status = changes.pop("memory", 5e6), changes.pop("status", "finished")
    who = {"task": "detection", "model": "ssd", "backbone": "mobilenet", "data": "shapes", "image_size": 300, "seed": 1}
    who |= {"config_hash": name, "recipe_hash": name, **changes}
    record = Record(
        Identity(name=name.rpartition("/")[2], **who),
        status,
        accuracy=accuracy(score) if score is not None else {},
        cost=cost(ms, memory, trained) if ms is not None else {},
        training={} if score is None or not own else {"epochs": 3, "seconds": 60.0},
        config=config,
        where={"device": device, "cpu": "a processor", "threads": 2},
    )
    (runs / name).mkdir(parents=True)
    write_record(runs / name / "result.json", record)
    return runs / name


def accuracy(score: float) -> dict[str, Any]:
    summary = {"mAP": score, "AP50": 1.5 * score, "AP75": 0.9 * score}
    return {
        "summary": summary | {name: factor * score for name, factor in SIZES.items()},
        "intervals": {"mAP": [score - 0.02, score + 0.02]},
        "per_class": [
            {"id": id, "name": name, "AP": score, "AP50": 1.5 * score, "instances": 2}
            for id, name in ((3, "bright"), (10, "dark"))
        ],
        "errors": {"Cls": 0.01, "Loc": 0.1},
    }


def cost(ms: float, memory: float, trained: bool) -> dict[str, Any]:
    def clock(share: float) -> dict[str, float]:
        median = share * ms
        return {"median": median, "p10": 0.9 * median, "p90": 1.1 * median} | {
            "confidence_low": 0.95 * median,
            "confidence_high": 1.05 * median,
        }

    batch = {"network_ms": clock(0.8), "postprocessing_ms": clock(0.2), "total_ms": clock(1), "disturbed": False}
    batch |= {"images_per_second": 1000 / ms, "peak_memory_bytes": memory}
    sizes = {"multiply_adds": 1e8 * ms, "parameters": 5e6, "activation_bytes": 1e6}
    return {"batches": {"1": batch, "8": batch}, "trained": trained, "protocol": {"precision": "float32"}, **sizes}


def write_scored(runs: Path, name: str, data: Path, shift: float, **changes: Any) -> Path:
    """A run with predictions: every object of the validation split found, `shift` pixels beside its place."""
    annotations = data / "annotations" / "val.json"
    source = {"_target_": "tradeoffs.data.sources.coco_folder", "_partial_": True, "root": str(data)}
    config = {"data": {"name": "coco_folder", "source": source}, **changes.pop("config", {})}
    folder = write_run(runs, name, data="coco_folder", config=config, **changes)
    truth = official.boxes_only(read_annotation_file(annotations))
    rows = [
        [each["image_id"], each["bbox"][0] + shift, *each["bbox"][1:], 0.9 - 0.01 * number, each["category_id"]]
        for number, each in enumerate(truth["annotations"])
    ]
    ids = np.array(sorted(image["id"] for image in truth["images"]))
    classes = sorted(each["id"] for each in truth["categories"])
    matches_of(official.evaluate(truth, np.array(rows, float), ids, classes)).save(folder / "matches.npz")
    Confusion(0.5, ["bright", "dark"], [[2, 1, 0], [0, 1, 1], [3, 0, 0]]).save(folder / "confusion.json")
    keys = ("image_id", "bbox", "score", "category_id")
    found = [dict(zip(keys, (int(row[0]), row[1:5], row[5], int(row[6])), strict=True)) for row in rows]
    (folder / "predictions.json").write_text(json.dumps(found))
    (folder / "metrics.csv").write_text(CURVES)
    return folder


def write_grid(runs: Path) -> Path:
    """Runs that fill every figure: architectures, backbones, sizes, seeds and numbers of proposals."""
    for number, (model, backbone, size) in enumerate(
        (model, backbone, size)
        for model in ("ssd", "faster_rcnn")
        for backbone in ("mobilenet", RESNET)
        for size in (300, 600)
    ):
        for seed in (1, 2):
            name = f"grid/model={model},backbone={backbone},image_size={size},seed={seed}"
            who = {"model": model, "backbone": backbone, "image_size": size, "seed": seed, "recipe_hash": f"r{number}"}
            score, ms = 0.2 + 0.03 * number + 0.01 * seed, 10.0 + 9 * number
            write_run(runs, name, score, ms, memory=1e7 * (number + 1), **who)
    for proposals in (10, 50, 300):
        who = {"model": "faster_rcnn", "backbone": RESNET, "image_size": 600, "proposals": proposals}
        write_run(runs, f"points/num_proposals={proposals}", 0.3 + proposals / 3000, 20 + proposals / 3, **who)
    return runs


def write_proposals(folder: Path, recall: dict[int, float], **changes: Any) -> Path:
    """What `python -m tradeoffs.proposals` writes, of a recall by the number of regions: at 0.5, half of it at 0.7."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{n},{iou},{part * high:.6g}" for n, high in recall.items() for iou, part in (("0.50", 1), ("0.70", 0.5))]
    (folder / "recall.csv").write_text("\n".join(["n,iou,recall", *rows, ""]))
    summary = {
        "proposals": {"name": "random", "seed": 0},
        "data": {"name": "shapes", "split": "val", "val": "0123456789abcdef"},
        "images": 5,
        "objects": 8,
        "regions_per_image": 1000.0,
        "by_count": [{"regions": n, "average recall": 0.75 * high} for n, high in recall.items()],
        "milliseconds_per_image": None,
    }
    (folder / "summary.json").write_text(json.dumps({**summary, **changes}))
    return folder
