"""What `benchmark.py` does: build all models of a grid, time them in turns, write a record for each and a table."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from torch import nn

from tradeoffs.apps.benchmark_tables import show, write_csv
from tradeoffs.apps.build import build_data, build_model
from tradeoffs.apps.earlier import conditions, keep_earlier
from tradeoffs.apps.entry import Entry
from tradeoffs.apps.grid import Grid
from tradeoffs.apps.photos import Photos, photos_of_data, photos_of_folder
from tradeoffs.apps.referee import Referee
from tradeoffs.apps.saved_runs import find_run
from tradeoffs.apps.steps import duration, models
from tradeoffs.apps.trainer import quieten
from tradeoffs.apps.weights import put_weights, weights_of
from tradeoffs.errors import UserError
from tradeoffs.measure.arithmetic import computing_in
from tradeoffs.measure.environment import describe_environment, hardware_name
from tradeoffs.training.operating_points import rising

COMPLETE, INCOMPLETE = 0, 1  # exit codes


def benchmark(grid: Grid) -> int:
    """Writes the record of every model and one CSV of all; returns the exit code.

    A model that breaks is recorded as failed, and the others go on; what an earlier try has timed is kept. Raises
    UserError if there is nothing to time.
    """
    quieten()
    settings = grid.settings
    device = choose_device(settings)
    photos, num_classes = find_photos(grid)
    folder = Path(settings.runs) / "benchmark" / settings.name
    with computing_in(settings.precision, device):
        entries = open_entries(grid, folder, photos, num_classes, describe_environment(device))
        build = partial(build_network, num_classes=num_classes, saved=bool(settings.run))
        referee = Referee(settings, device, photos, build)
        referee.time_all(entries)
    skipped = [f"{entry.name}: {entry.error}" for entry in entries if entry.status == "skipped"]
    if len(skipped) == len(entries):
        raise UserError("no model of the grid can be built:", tuple(skipped))
    table = folder / f"results-{hardware_name(entries[0].where)}.csv"
    write_csv(table, entries)
    show(entries, table)
    if referee.signals.received:
        print(f"broken off: the same command goes on with {count_left(entries)} of {models(len(entries))}")
        return 128 + referee.signals.received
    return INCOMPLETE if any(entry.status == "failed" for entry in entries) else COMPLETE


def open_entries(
    grid: Grid, folder: Path, photos: Photos, num_classes: int | None, where: dict[str, Any]
) -> list[Entry]:
    """The models with what is known of each, and a word on what is left to do."""
    settings = grid.settings
    sizes = tuple(rising(settings.batch_sizes))
    entries = [Entry(point.overrides, point.config, folder / point.config.name, sizes) for point in grid.points]
    for entry in entries:
        entry.where = where
        entry.protocol = {"conditions": conditions(settings, photos, num_classes, entry.config)}
    if not settings.overwrite:
        for reason in keep_earlier(entries):
            print(reason)
    print(expectation(settings, entries))
    return entries


def expectation(settings: DictConfig, entries: Sequence[Entry]) -> str:
    """How long it may take."""
    left = count_left(entries)
    if not left:
        return f"timed already: {len(entries)} of {models(len(entries))}; overwrite=true times them anew"
    seconds = min(settings.seconds * sum(len(entry.missing) for entry in entries), 60 * settings.minutes)
    turns = f"about {duration(seconds)} of turns, up to {settings.minutes:g} min (minutes=) with repetitions"
    return f"to be timed: {left} of {models(len(entries))}, {turns}; if it is broken off, the same command goes on"


def count_left(entries: Sequence[Entry]) -> int:
    return sum(bool(entry.missing) for entry in entries if entry.status == "finished")


def choose_device(settings: DictConfig) -> torch.device:
    """Raises UserError for what the device cannot do."""
    found = torch.cuda.is_available()
    if settings.device == "cuda" and not found:
        raise UserError("device=cuda is impossible: torch finds no CUDA GPU here; leave it out, or give device=cpu")
    device = torch.device("cuda" if found and settings.device != "cpu" else "cpu")
    if device.type == "cpu" and settings.cuda_graphs:
        raise UserError("cuda_graphs=true needs a CUDA GPU, and the models run on the CPU; leave it out")
    if device.type == "cpu" and settings.precision == "tf32":
        raise UserError("precision=tf32 needs a CUDA GPU, and the models run on the CPU; choose float32 or bfloat16")
    if settings.compile and "isolate_recompiles" not in inspect.signature(torch.compile).parameters:
        raise UserError(
            f"compile=true needs a newer torch than {torch.__version__} to compile many models; leave it out"
        )
    return device


def find_photos(grid: Grid) -> tuple[Photos, int | None]:
    """The images for all models, and how many classes those with random weights know.

    The data set is read only if one of both depends on it.
    """
    settings = grid.settings
    sizes = settings.batch_sizes
    count = sizes if isinstance(sizes, int) else max(sizes)
    if settings.source and (settings.run or settings.num_classes):
        return photos_of_folder(settings.source, count), settings.num_classes
    data = build_data(grid.points[0].config, "validate")
    photos = photos_of_folder(settings.source, count) if settings.source else photos_of_data(data, count)
    return photos, settings.num_classes or data.num_classes


def build_network(config: DictConfig, num_classes: int | None, saved: bool) -> tuple[nn.Module, bool]:
    """The model of a config, and whether its weights were trained: those of a saved run, else random ones."""
    if not saved:
        torch.manual_seed(config.seed)
        return build_model(config, num_classes), False
    weights = weights_of(find_run(config.run), config.checkpoint)
    model = build_model(config, len(weights.class_names))
    put_weights(weights, model)
    return model, True
