"""What `benchmark.py` does: build all models of a grid, time them in turns, write a record for each and a table."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn

from tradeoffs.commands.benchmark_tables import show, write_csv
from tradeoffs.commands.earlier_times import conditions, keep_earlier
from tradeoffs.commands.model_grid import Grid
from tradeoffs.commands.model_timing import ModelTiming
from tradeoffs.commands.timed_images import TimedImages, images_of_data, images_of_folder
from tradeoffs.commands.timing_turns import TimingInTurns
from tradeoffs.commands.trainer import quieten
from tradeoffs.errors import UserError
from tradeoffs.measure.arithmetic import computing_in
from tradeoffs.measure.environment import describe_environment, hardware_name
from tradeoffs.progress_bar import duration, models
from tradeoffs.runs.build import build_data, build_model
from tradeoffs.runs.weights import compress, put_weights, weights_of
from tradeoffs.settings.saved_runs import find_run
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
        timings = open_models(grid, folder, photos, num_classes, describe_environment(device))
        build = partial(build_network, num_classes=num_classes, saved=bool(settings.run))
        in_turns = TimingInTurns(settings, device, photos, build)
        in_turns.time_all(timings)
    skipped = [f"{timing.name}: {timing.error}" for timing in timings if timing.status == "skipped"]
    if len(skipped) == len(timings):
        raise UserError("no model of the grid can be built:", tuple(skipped))
    table = folder / f"results-{hardware_name(timings[0].where)}.csv"
    write_csv(table, timings)
    show(timings, table, f"evaluations/{settings.name} of each run" if settings.run else str(folder))
    if in_turns.signals.received:
        print(f"broken off: the same command goes on with {count_left(timings)} of {models(len(timings))}")
        return 128 + in_turns.signals.received
    return INCOMPLETE if any(timing.status == "failed" for timing in timings) else COMPLETE


def open_models(
    grid: Grid, folder: Path, photos: TimedImages, num_classes: int | None, where: dict[str, Any]
) -> list[ModelTiming]:
    """The models with what is known of each, and a word on what is left to do.

    Records of trained runs lie with their evaluations, where a look at these runs finds them; others in `folder`.
    """
    settings = grid.settings
    timings = []
    for overrides, config in grid.points:
        place = writable(find_run(config.run) / "evaluations" / settings.name) if settings.run else folder
        timing = ModelTiming(overrides, config, place / config.name, tuple(rising(settings.batch_sizes)), where=where)
        timing.protocol = {"conditions": conditions(settings, photos, num_classes, config)}
        timings.append(timing)
    if not settings.overwrite:
        for reason in keep_earlier(timings):
            print(reason)
    print(expectation(settings, timings))
    return timings


def writable(folder: Path) -> Path:
    """Raises UserError, before anything is timed, where no record can be left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"times of a run are kept with its evaluations, but {folder}: {error.strerror}") from None
    return folder


def expectation(settings: DictConfig, timings: Sequence[ModelTiming]) -> str:
    """How long it may take."""
    left = count_left(timings)
    if not left:
        disturbed = sum(timing.disturbed for timing in timings)
        of_these = f", {disturbed} disturbed" if disturbed else ""
        return f"timed already: {len(timings)} of {models(len(timings))}{of_these}; overwrite=true times them anew"
    seconds = min(settings.seconds * sum(len(timing.missing) for timing in timings), 60 * settings.minutes)
    turns = f"about {duration(seconds)} of turns, up to {settings.minutes:g} min (minutes=) with repetitions"
    return f"to be timed: {left} of {models(len(timings))}, {turns}; if it is broken off, the same command goes on"


def count_left(timings: Sequence[ModelTiming]) -> int:
    return sum(bool(timing.missing) for timing in timings if timing.status == "finished")


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


def find_photos(grid: Grid) -> tuple[TimedImages, int | None]:
    """The images for all models, and how many classes those with random weights know.

    The data set is read only if one of both depends on it.
    """
    settings = grid.settings
    sizes = settings.batch_sizes
    count = sizes if isinstance(sizes, int) else max(sizes)
    if settings.source and (settings.run or settings.num_classes):
        return images_of_folder(settings.source, count), settings.num_classes
    config = grid.points[0].config
    alone = OmegaConf.masked_copy(config, [key for key in config if key != "proposals"])  # no regions for all of them
    data = build_data(alone, "validate")
    photos = images_of_folder(settings.source, count) if settings.source else images_of_data(data, count)
    return photos, settings.num_classes or data.num_classes


def build_network(config: DictConfig, num_classes: int | None, saved: bool) -> tuple[nn.Module, bool]:
    """The model of a config, and whether its weights were trained: those of a saved run, else random ones."""
    if not saved:
        torch.manual_seed(config.seed)
        model = build_model(config, num_classes)
        compress(model, config.model.get("svd"))
        return model, False
    weights = weights_of(find_run(config.run), config.checkpoint)
    model = build_model(config, len(weights.class_names))
    put_weights(weights, model)
    compress(model, config.model.get("svd"))
    return model, True
