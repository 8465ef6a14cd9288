"""What is left of a run: predictions, times, the record, and a summary on the screen."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import LightningDataModule, LightningModule
from pytorch_lightning.utilities import rank_zero_only
from rich import print as print_pretty
from torch import Tensor

from tradeoffs.files import write_whole
from tradeoffs.measure.environment import describe_environment
from tradeoffs.measure.load import doubt_about
from tradeoffs.measure.memory import is_out_of_memory
from tradeoffs.measure.protocol import fill, measure_model
from tradeoffs.metrics.evidence import Evidence, save_evidence
from tradeoffs.model_facts import operating_point_of
from tradeoffs.results.doubt import hardly_trained
from tradeoffs.results.record import Record, write_record
from tradeoffs.results.statistics import over_images
from tradeoffs.runs.folder import save_config
from tradeoffs.runs.identity import identity
from tradeoffs.runs.proposals import proposing_of
from tradeoffs.structures import Batch
from tradeoffs.training.operating_points import Scored
from tradeoffs.training.partial_validation import validates_a_part
from tradeoffs.training.tables import score_table

Outcome = dict[str, Any]
save_settings = rank_zero_only(save_config)

ENOUGH_STEPS = 1000  # to learn something from random weights
MEASURING_SECONDS = 10  # aimed at for each batch size
LARGE_BATCH = 8
PRECISIONS = {"bf16-mixed": "bfloat16", "16-mixed": "float16"}  # timed as it was scored


def report(
    config: DictConfig,
    folder: Path,
    task: LightningModule,
    data: LightningDataModule,
    training: Outcome | None = None,
    stopped: str | None = None,
) -> float:
    """Writes predictions.json and result.json of a task that has just been validated; returns its headline score.

    `stopped` says why its training is no whole one; then it is timed only by itself, not after that training.
    """
    # These gather from all processes.
    only_seen = validates_a_part(task.trainer)
    predictions, evidence = task.metric.predictions(), task.metric.evidence(only_seen)
    if rank_zero_only.rank == 0:
        write_whole(folder / "predictions.json", json.dumps(predictions))
        save_evidence(evidence, folder)
        device = task.trainer.strategy.root_device  # the task itself is on the CPU again
        where = describe_environment(device)
        record = Record(
            who=identity(config, (where["git"] or {}).get("commit"), data.hashes),
            status="stopped" if stopped else "finished",
            error=stopped,
            accuracy={**task.scores.to_dict(), "intervals": intervals(evidence), **about_regions(data)},
            training=training or {},
            config=OmegaConf.to_container(config, resolve=True),
            where=where,
        )
        write_record(folder / "result.json", record)  # whatever becomes of the rest
    more = task.report(folder, evidence, only_seen)
    if rank_zero_only.rank == 0:
        record.accuracy |= more
        write_record(folder / "result.json", record)
        if config.measure and not (stopped and training):
            record.cost = measured_cost(config, task, data, device)
            write_record(folder / "result.json", record)
        run = shlex.quote(f"run={config.get('run') or Path(config.runs) / config.name}")
        own = operating_point_of(config.model)
        show(record, folder, f"{run} {folder.name}" if own and folder.name.startswith(f"{own.name}=") else run)
    return task.scores.summary[task.headline]


def report_points(
    config: DictConfig,
    folder: Path,
    task: LightningModule,
    data: LightningDataModule,
    scored: dict[int, Scored],
    stopped: str | None = None,
) -> float:
    """A folder and a record for each operating point; returns the last headline score. The task stays as it is."""
    name, title, _ = operating_point_of(config.model)
    own, score = (task.metric, task.scores, getattr(task.model, name)), float("nan")
    for value, (task.metric, task.scores) in scored.items():
        at_value = config.copy()
        at_value.model[name] = value
        setattr(task.model, name, value)  # is timed with it
        print(f"\n{value} {title}")
        save_settings(at_value, folder / f"{name}={value}")
        score = report(at_value, folder / f"{name}={value}", task, data, stopped=stopped)
    task.metric, task.scores, most = own
    setattr(task.model, name, most)
    return score


@rank_zero_only
def compare(places: Sequence[Path]) -> None:
    """Prints one table of all records in the places and below."""
    from tradeoffs.results.print import print_tables  # pandas is needed here alone
    from tradeoffs.results.table import read_table

    print_tables(read_table(places).table, "ms")


def about_regions(data: LightningDataModule) -> Outcome:
    """Who proposed the regions in which objects were found, where somebody else than the model did."""
    source = getattr(data, "region_source", None)
    return {"proposals": source.proposer.identity} if source else {}


def intervals(evidence: Evidence) -> dict[str, list[float]]:
    """Bounds of what other images of the same kind might have given."""
    return {name: [bounds.low, bounds.high] for name, bounds in over_images(evidence).items()}


def measured_cost(
    config: DictConfig, task: LightningModule, data: LightningDataModule, device: torch.device
) -> Outcome:
    """An error alone if the larger batch does not fit into the memory, which training may not have needed."""
    try:
        return measure_task(config, task, data, device)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = f"out of memory while timing batches of {LARGE_BATCH}"
        print(f"{message}: the record holds no times")
        return {"error": message}


def measure_task(config: DictConfig, task: LightningModule, data: LightningDataModule, device: torch.device) -> Outcome:
    """Times the task's model on images of the validation split."""
    print("measuring time and memory ...")
    batch = next(iter(data.val_dataloader()))[:LARGE_BATCH].to(device)
    model = task.model.to(device).eval()
    proposing = proposing_of(config, device)
    propose = proposing and (lambda size: proposing(photos_of(batch, data, size)))
    with torch.inference_mode():
        model.predict(*batch.inputs)
        began = time.perf_counter()
        model.predict(*((batch.images, propose(len(batch))()) if propose else batch.inputs))
    repeats = int(MEASURING_SECONDS / 2 / (time.perf_counter() - began))
    cost = measure_model(
        model,
        batch.images,
        trained=True,
        device=device,
        precision=PRECISIONS.get(str(task.trainer.precision), "float32"),  # Lightning's own choice may differ
        batch_sizes=(1, LARGE_BATCH),
        repeats=min(max(repeats, 5), 50),
        warmup=3,
        propose=propose,
    )
    if proposing:
        cost["protocol"]["proposals"] = proposing.describe()
    return cost


def photos_of(batch: Batch, data: LightningDataModule, size: int) -> list[UInt8[Tensor, "3 _h _w"]]:
    """The photos of the first `size` images, some several times, as they are."""
    return [data.val.read_image(index) for index in fill(batch.addresses[:, 2], size).tolist()]


def show(record: Record, folder: Path, again: str | None = None) -> float:
    """Prints the tables and where everything is; returns the headline score. `again` makes evaluate.py repeat it."""
    per_class = [{key: row[key] for key in row if key != "id"} for row in record.accuracy["per_class"]]
    print_pretty(score_table(record.accuracy["summary"], per_class, cost_summary(record.cost)))
    if record.error:
        print(f"{record.status}: {record.error}")
    if doubt := doubt_about(record.cost):
        again = again or shlex.quote(f"run={folder}")
        print(f"{doubt}; on a quiet machine: python evaluate.py {again} measure=true")
    print(f"{folder}/ holds")
    for name, what in CONTENTS.items():
        if (folder / name).exists():
            print(f"  {name:<30} {what}")
    if doubt := hardly_trained(record):
        print(f"{doubt}{advice(record)}")
    return record.score


def advice(record: Record) -> str:
    """What to try after a training that taught next to nothing; empty for an evaluation, and for an old record."""
    steps = record.training.get("steps")
    if not steps or not record.config:
        return ""
    more = record.config["epochs"] * math.ceil(ENOUGH_STEPS / steps)
    tries = [f"epochs={more}"] if more > record.config["epochs"] else []
    tries += ["backbone.weights=pretrained"] if record.config["backbone"].get("weights") == "none" else []
    return f"; try {' or '.join(tries or ['another optimizer.lr='])}"


CONTENTS = {
    "result.json": "the record",
    "config.yaml": "all settings",
    "metrics.csv": "the curves",
    "pictures": "predictions beside the truth",
    "predictions.json": "all predictions",
    "matches.npz": "which of them found an object",
    "ratios.npz": "how right each image is",
    "pixels.npz": "how many pixels of each class are right",
    "confusion.json": "which class was taken for which",
    "pictures/precision_recall.svg": "precision, recall and F1",
    "pictures/confusion.svg": "the confusion matrix",
    "checkpoints/best.ckpt": "the best weights",
}


def cost_summary(cost: Outcome) -> Outcome:
    """The figures people ask for first."""
    if "batches" not in cost:
        return {}
    single, large = cost["batches"]["1"], cost["batches"][str(LARGE_BATCH)]
    return {
        "million weights": cost["parameters"] / 1e6,
        "G mult-adds": cost["multiply_adds"] / 1e9,
        "ms, batch 1": single["total_ms"]["median"],
        **({"of proposals": single["proposals_ms"]["median"]} if "proposals_ms" in single else {}),
        "of network": single["network_ms"]["median"],
        "images/s, batch 8": cost["images_per_second"],
        "peak MB": large["peak_memory_bytes"] / 1e6 if large["peak_memory_bytes"] else "-",
    }
