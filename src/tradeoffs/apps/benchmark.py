"""What `benchmark.py` does: build all models of a grid, time them in turns, write a record for each and a table."""

from __future__ import annotations

import inspect
from functools import partial
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from tradeoffs.apps.benchmark_tables import show, write_csv
from tradeoffs.apps.build import build_data, build_model
from tradeoffs.apps.entry import Entry
from tradeoffs.apps.grid import Grid
from tradeoffs.apps.photos import Photos, photos_of_data, photos_of_folder
from tradeoffs.apps.referee import Referee
from tradeoffs.apps.saved_runs import find_run
from tradeoffs.apps.trainer import quieten
from tradeoffs.apps.weights import find_weights, put_weights, read_weights
from tradeoffs.errors import UserError
from tradeoffs.measure.arithmetic import computing_in
from tradeoffs.measure.environment import describe_environment, hardware_name

COMPLETE, INCOMPLETE = 0, 1  # exit codes


def benchmark(grid: Grid) -> int:
    """Writes the record of every model and one CSV of all; returns the exit code.

    A model that breaks is recorded as failed, and the others go on. Raises UserError if there is nothing to time.
    """
    quieten()
    settings = grid.settings
    device = choose_device(settings)
    photos, num_classes = find_photos(grid)
    folder = Path(settings.runs) / "benchmark" / settings.name
    entries = [Entry(point.overrides, point.config, folder / point.config.name) for point in grid.points]
    with computing_in(settings.precision, device):
        where = describe_environment(device)
        build = partial(build_network, num_classes=num_classes, saved=bool(settings.run))
        Referee(settings, device, photos, build, where).time_all(entries)
    skipped = [f"{entry.name}: {entry.error}" for entry in entries if entry.status == "skipped"]
    if len(skipped) == len(entries):
        raise UserError("no model of the grid can be built:", tuple(skipped))
    table = folder / f"results-{hardware_name(where)}.csv"
    write_csv(table, entries)
    show(entries, table)
    return INCOMPLETE if any(entry.status == "failed" for entry in entries) else COMPLETE


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
    weights = read_weights(find_weights(find_run(config.run), config.checkpoint))
    model = build_model(config, len(weights.class_names))
    put_weights(weights, model)
    return model, True
