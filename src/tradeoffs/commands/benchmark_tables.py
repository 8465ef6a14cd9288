"""What a benchmark found: a CSV of all models, and tables for the terminal."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from tradeoffs.commands.model_timing import ModelTiming
from tradeoffs.files import write_whole
from tradeoffs.measure.load import BUSY
from tradeoffs.model_facts import WHOLE_IMAGE
from tradeoffs.results.terminal import fill, least_width

NAMED = ("model", "backbone", "backbone.name", "image_size")  # stands in a label anyway
LOG_WIDTH, LEAST = 110, 24  # characters: in a file, of a name
CLOCKS = {
    "proposals": "proposals_ms",
    "network": "network_ms",
    "postprocessing": "postprocessing_ms",
    "total": "total_ms",
}
OF_PROPOSALS = ("proposals_ms", "regions_per_image")  # which only some models have
STATISTICS = {"ms": "median", "p10": "p10", "p90": "p90", "low": "confidence_low", "high": "confidence_high"}
IDENTITY = ("model", "backbone", "data", "image_size", "seed")
NETWORK = ("parameters", "multiply_adds", "activation_bytes")
BATCH = (
    "images_per_second",
    "regions_per_image",
    "candidates_per_image",
    "peak_memory_bytes",
    "turns",
    "attempts",
    "disturbed",
)
PROTOCOL = ("precision", "compile", "cuda_graphs", "threads", "each_image")
WHERE = ("device", "cores", "torch", "cuda", "cudnn")


def write_csv(path: Path, timings: Sequence[ModelTiming]) -> None:
    """One row for each model and batch size. Times in ms for a batch, `low` and `high` of the median's confidence."""
    rows = [row for timing in timings for row in csv_rows(timing)]
    path.parent.mkdir(parents=True, exist_ok=True)
    file = StringIO(newline="")
    writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows({key: plain(value) for key, value in row.items()} for row in rows)
    write_whole(path, file.getvalue())


def csv_rows(timing: ModelTiming) -> Iterator[dict[str, Any]]:
    """A single row without times where nothing could be timed."""
    who, (status, error) = timing.who, timing.outcome
    for size in sorted(timing.batch_costs) or [None]:
        batch = timing.batch_costs.get(size, {})
        yield {
            "settings": " ".join(timing.overrides),
            **{name: getattr(who, name) for name in IDENTITY},
            "status": status,
            "error": error,
            "trained": timing.trained,
            "batch_size": size,
            **{
                f"{clock}_{name}": batch.get(key, {}).get(statistic)
                for clock, key in CLOCKS.items()
                for name, statistic in STATISTICS.items()
                if key in batch or key not in OF_PROPOSALS
            },
            **{name: batch.get(name) for name in BATCH if name in batch or name not in OF_PROPOSALS},
            "other_load": timing.other_load,
            **{name: timing.network_cost.get(name) for name in NETWORK},
            **{name: timing.protocol.get(name) for name in PROTOCOL},
            **{name: timing.where.get(name) for name in WHERE},
            "git_commit": who.git_commit,
            "config_hash": who.config_hash,
        }


def plain(value: Any) -> Any:
    """Six digits are more than any clock knows."""
    return f"{value:.6g}" if isinstance(value, float) else value


def show(timings: Sequence[ModelTiming], csv_path: Path, records: str) -> None:
    """Prints what each model takes, what has to be known about it, and where the records are."""
    names = labels(timings)
    timed = [timing for timing in timings if timing.batch_costs]
    for size in sorted({size for timing in timed for size in timing.batch_costs}):
        print_whole(time_table(size, [timing for timing in timed if size in timing.batch_costs], names))
    if timed:
        print_whole(size_table(timed, names))
    for line in remarks(timings, names):
        print(line)
    print(f"records  {records}")
    print(f"table    {csv_path}")


def print_whole(table: Table) -> None:
    """In a window that is narrower than the table its lines are broken, but nothing is left out."""
    console, names = Console(width=None if sys.stdout.isatty() else LOG_WIDTH), table.columns[0]
    names.max_width = LEAST
    console.width = max(console.width, least_width(table, console))
    names.max_width = None
    console.print(table)


def labels(timings: Sequence[ModelTiming]) -> dict[str, str]:
    """What tells the models apart, by name: `ssd mobilenet 300`, and what else differs."""
    everywhere = set.intersection(*(set(timing.overrides) for timing in timings))
    found = {}
    for timing in timings:
        who = timing.who
        pairs = [text.partition("=") for text in timing.overrides if text not in everywhere]
        others = [f"{key.rpartition('.')[2]}={value}" for key, _, value in pairs if key not in NAMED]
        found[timing.name] = " ".join([who.model, who.backbone, str(who.image_size), *others])
    return found


def time_table(size: int, timings: Sequence[ModelTiming], names: dict[str, str]) -> Table:
    proposing = any("proposals_ms" in timing.batch_costs[size] for timing in timings)
    columns: dict[str, Callable[[dict[str, Any]], str]] = {
        **({"proposals": lambda batch: digits((batch.get("proposals_ms") or {}).get("median"))} if proposing else {}),
        "network": lambda batch: digits(batch["network_ms"]["median"]),
        "decoding, NMS": lambda batch: digits(batch["postprocessing_ms"]["median"]),
        "total": lambda batch: digits(batch["total_ms"]["median"]) + ("!" if batch["disturbed"] else ""),
        "10 to 90 %": lambda batch: " to ".join(digits(batch["total_ms"][name]) for name in ("p10", "p90")),
        "candidates": lambda batch: digits(batch["candidates_per_image"]),
        "turns": lambda batch: str(batch["turns"]),
    }
    models = [names[timing.name] + ("" if timing.trained else "*") for timing in timings]
    cells = {name: [write(timing.batch_costs[size]) for timing in timings] for name, write in columns.items()}
    return table_of(f"Batches of {size}: medians in ms, 10 to 90 % of the total", {"model": models, **cells})


def size_table(timings: Sequence[ModelTiming], names: dict[str, str]) -> Table:
    sizes = sorted({size for timing in timings for size in timing.batch_costs})
    heads = ["parameters", "multiply-adds", "activations", *(f"peak, batch {size}" for size in sizes)]
    rows = []
    for timing in timings:
        cost = timing.network_cost
        peaks = [timing.batch_costs.get(size, {}).get("peak_memory_bytes") for size in sizes]
        values = [cost["parameters"] / 1e6, cost["multiply_adds"] / 1e9, cost["activation_bytes"] / 1e6]
        values += [None if peak is None else peak / 1e6 for peak in peaks]
        rows.append([names[timing.name], *map(digits, values)])
    columns = dict(zip(["model", *heads], zip(*rows, strict=True), strict=True))
    return table_of("Sizes: parameters in millions, multiply-adds in billions, memory in MB", columns)


def table_of(title: str, columns: Mapping[str, Sequence[str]]) -> Table:
    return fill(Table(title=title, title_justify="left", box=box.SIMPLE_HEAD), columns, words=("model",))


def digits(value: float | None) -> str:
    """Three of them, more where there are more before the point."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}" if value else "0"


def remarks(timings: Sequence[ModelTiming], names: dict[str, str]) -> Iterator[str]:
    if any(not timing.trained and timing.batch_costs for timing in timings):
        yield "* random weights: compare the network's times; those of decoding and NMS depend on training"
    yield from different_images(timings, names)
    for timing in timings:
        for size, batch in timing.batch_costs.items():
            if batch["disturbed"]:
                times = f"{batch['attempts']} attempts" if batch["attempts"] > 1 else "the only attempt"
                yield f"! {names[timing.name]} at batch {size}: disturbed in {times}; do not rank by these times"
    if (taken := max((timing.other_load or 0 for timing in timings), default=0)) > BUSY:
        yield f"! other programs took up to {taken:.0%} of the processor meanwhile: these times are disturbed"
    if any(timing.earlier for timing in timings) and not all(timing.earlier for timing in timings):
        yield "! some were timed earlier, not in turns with the others: " + ", ".join(
            names[timing.name] for timing in timings if timing.earlier
        )
    for timing in timings:
        status, error = timing.outcome
        if status != "finished":
            yield f"{status}: {names[timing.name]}: {error}"


def different_images(timings: Sequence[ModelTiming], names: dict[str, str]) -> Iterator[str]:
    """Which times are of a cut-out person, where others are of whole images."""
    timed = [timing for timing in timings if timing.batch_costs]
    kinds = {names[timing.name]: timing.protocol.get("each_image") or WHOLE_IMAGE for timing in timed}
    if len(several := sorted(set(kinds.values()))) > 1:
        said = [f"{kind}: {', '.join(name for name in kinds if kinds[name] == kind)}" for kind in several]
        yield f"! times are of different things and do not compare; of {'; of '.join(said)}"
