"""What a table of runs has in its columns: name, unit, which way is better, and where the record holds it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from tradeoffs.errors import UserError
from tradeoffs.measure.load import was_busy
from tradeoffs.model_facts import WHOLE_IMAGE, operating_points
from tradeoffs.results.doubt import beyond_chance, hardly_trained
from tradeoffs.results.record import Record
from tradeoffs.task_facts import TRUTH, all_scores, annotations_in, annotations_of

if TYPE_CHECKING:
    from pandas import DataFrame


class Column(NamedTuple):
    """`better` is None for what is neither good nor bad."""

    title: str
    unit: str
    better: Literal["high", "low"] | None
    read: Callable[[Record], Any]

    @property
    def label(self) -> str:
        return f"{self.title} [{self.unit}]" if self.unit else self.title


def inside(*path: str | int) -> Callable[[Record], Any]:
    """Reads a record's field and what lies deeper in it; None where there is no such thing."""

    def read(record: Record) -> Any:
        value: Any = getattr(record, path[0])
        for key in path[1:]:
            value = step(value, key)
        return value

    return read


def step(value: Any, key: str | int) -> Any:
    match value:
        case dict():
            return value.get(key)
        case list():
            return value[key] if isinstance(key, int) and key < len(value) else None
        case _:
            return getattr(value, str(key), None)


def of_large_batch(*path: str) -> Callable[[Record], Any]:
    """The same in the costs of the largest batch."""

    def read(record: Record) -> Any:
        batches = record.cost.get("batches") or {}
        largest = max(batches, key=int, default=None)
        return None if largest is None else inside("cost", "batches", largest, *path)(record)

    return read


def size(record: Record) -> int | None:
    sides = record.who.image_size
    return sides if isinstance(sides, int) else max(sides, default=None)


def in_billions(*path: str) -> Callable[[Record], float | None]:
    return scaled(1e9, inside(*path))


def scaled(unit: float, read: Callable[[Record], Any]) -> Callable[[Record], float | None]:
    def scale(record: Record) -> float | None:
        value = read(record)
        return None if value is None else value / unit

    return scale


def device(record: Record) -> str | None:
    """What decides about times: the GPU's name, or the processor's with its threads and how they wait."""
    where = record.where
    name, threads = where.get("device") or where.get("cpu"), where.get("threads")
    if not name or name != where.get("cpu"):
        return name
    sleep = threads != 1 and str(where.get("omp_wait_policy")).upper() == "PASSIVE"
    return f"{name}, {threads} thread{'s' if threads != 1 else ''}{' (passive)' if sleep else ''}"


def scored_images(record: Record) -> str | None:
    """What tells sets of validation images apart: their hash; in an older record how many objects each class has."""
    rows = record.accuracy.get("per_class") or []
    if record.who.val_data and record.accuracy:
        return record.who.val_data
    return ",".join(f"{row.get('name')}:{row.get('instances')}" for row in rows) or None


def data(record: Record) -> str:
    """The data set whose images were used; of a benchmark on photos of its own, those."""
    return other_photos(record) or record.who.data


def other_photos(record: Record) -> str | None:
    """What a benchmark was timed on, in words, if those were not images of its data set."""
    origin = inside("cost", "protocol", "images", "from")(record)
    return None if origin is None or origin.startswith("validation split of ") else f"photos of {origin}"


def given_boxes(record: Record) -> str | None:
    """In which people were looked at, where a task gives them: annotated ones, a detector's, or the model's own.

    Both accuracies and times differ by that: of one person who was cut out, or of a whole image with all its people.
    """
    if "person" not in annotations_of(record.who.task):
        return None
    if "person" not in annotations_in(record.config):
        return "own boxes"
    used = record.accuracy.get("person_boxes") or {}
    source = used.get("source") or inside("config", "task", "person_boxes")(record) or TRUTH
    if source == TRUTH:
        return "true boxes"
    return f"a detector's boxes ({used['hash'][:6]})" if used.get("hash") else "a detector's boxes"


def images_seen(record: Record) -> int | None:
    """In training, by all processes; the same image counts each time. Data sets of less than a batch count as one."""
    steps = record.training.get("steps")
    batch = record.training.get("batch_size", record.config.get("batch_size"))  # `auto` in the settings became a number
    if steps is None or not isinstance(batch, int):
        return None
    return steps * batch * (inside("config", "trainer", "accumulate_grad_batches")(record) or 1)


def headline(rows: DataFrame) -> str:
    """The score by which most of the rows of a table are compared."""
    known = (name for name in rows["headline"].value_counts().index if name in ACCURACY)  # not of a task of elsewhere
    return next(known, next(iter(ACCURACY)))


def models_in_turns(record: Record) -> int:
    """How many were timed together; 0 for one alone."""
    found = re.match(r"(\d+) models in turns", str(inside("cost", "protocol", "turns")(record)))
    return int(found[1]) if found else 0


def large_batch(record: Record) -> int | None:
    """The size of the batch whose throughput and memory the columns show."""
    return max(map(int, record.cost.get("batches") or {}), default=None)


def protocol(record: Record) -> str | None:
    """What decides about times and memory besides model, device and load; None where nothing was timed."""
    if not record.cost.get("batches"):
        return None
    how = record.cost.get("protocol") or {}
    parts = [
        "trained" if record.cost.get("trained") else "random",
        how.get("precision"),
        f"batch {large_batch(record)}",
    ]
    parts += [name for name in ("compile", "cuda_graphs") if how.get(name)]
    parts += [how["each_image"]] if how.get("each_image", WHOLE_IMAGE) != WHOLE_IMAGE else []
    return ", ".join(map(str, filter(None, [*parts, other_photos(record)])))


ACCURACY = all_scores()
POINTS = operating_points()
ONE = ("cost", "batches", "1")


def disturbed(record: Record) -> bool | None:
    """By jumps, or by a load that lasted, which only makes all slower; None where nothing was timed."""
    if not record.cost.get("batches"):
        return None
    return was_busy(record.cost) or inside(*ONE, "disturbed")(record)


TIMES = ("ms", "ms_p10", "ms_p90", "proposals_ms", "network_ms", "postprocessing_ms")
CLOCKED = (*TIMES, "images_per_second")  # what other work on the machine changes
COUNTED = ("multiply_adds", "parameters", "activations")  # the same every time
TOGETHER = ("task", "data", "given_boxes", "device")  # what runs must have in common for their numbers to compare

# Short titles, for heads of tables; where there is none, the name of the column is short.
HEADS = {
    "image_size": "px",
    **{point.name: point.title for point in POINTS.values()},
    "ms": "ms",
    "images_per_second": "images/s",
    "multiply_adds": "G mult-adds",
    "parameters": "M weights",
    "memory": "MB peak",
    "images_seen": "images seen",
    "seeds": "seeds",
    "frontier": "best",
}

OF_SCORES = {name: Column(*score, inside("accuracy", "summary", name)) for name, score in ACCURACY.items()}
BEFORE_SCORES = {
    "status": Column("status", "", None, inside("status")),
    "task": Column("task", "", None, inside("who", "task")),
    "model": Column("architecture", "", None, inside("who", "model")),
    "backbone": Column("backbone", "", None, inside("who", "backbone")),
    "data": Column("data", "", None, data),
    "given_boxes": Column("boxes", "", None, given_boxes),
    "image_size": Column("image size", "px", None, size),
    **{name: Column(point.title, "", None, inside("config", "model", name)) for name, point in POINTS.items()},
    "seed": Column("seed", "", None, inside("who", "seed")),
}
COLUMNS = {
    **BEFORE_SCORES,
    **OF_SCORES,
    "ms": Column("time, batch 1", "ms", "low", inside(*ONE, "total_ms", "median")),
    "ms_p10": Column("time, batch 1, 10th percentile", "ms", "low", inside(*ONE, "total_ms", "p10")),
    "ms_p90": Column("time, batch 1, 90th percentile", "ms", "low", inside(*ONE, "total_ms", "p90")),
    "proposals_ms": Column("proposals, batch 1", "ms", "low", inside(*ONE, "proposals_ms", "median")),
    "network_ms": Column("network, batch 1", "ms", "low", inside(*ONE, "network_ms", "median")),
    "postprocessing_ms": Column("postprocessing, batch 1", "ms", "low", inside(*ONE, "postprocessing_ms", "median")),
    "candidates": Column("candidates for suppression", "", None, inside(*ONE, "candidates_per_image")),
    "images_per_second": Column("throughput, large batch", "images/s", "high", of_large_batch("images_per_second")),
    "multiply_adds": Column("multiply-adds", "G", "low", in_billions("cost", "multiply_adds")),
    "parameters": Column("parameters", "M", "low", scaled(1e6, inside("cost", "parameters"))),
    "memory": Column("peak memory, large batch", "MB", "low", scaled(1e6, of_large_batch("peak_memory_bytes"))),
    "activations": Column("activations, batch 1", "MB", "low", scaled(1e6, inside("cost", "activation_bytes"))),
    "trained": Column("trained", "", None, inside("cost", "trained")),
    "disturbed": Column("disturbed", "", None, disturbed),
    "epochs": Column("epochs", "", None, inside("training", "epochs")),
    "images_seen": Column("images seen in training", "", None, images_seen),
    "minutes": Column("training", "min", "low", scaled(60, inside("training", "seconds"))),
    "device": Column("device", "", None, device),
    "precision": Column("precision", "", None, inside("cost", "protocol", "precision")),
    "protocol": Column("timed with", "", None, protocol),
    "error": Column("error", "", None, inside("error")),
}
BOUNDS = (*(f"{name}_{end}" for name in ACCURACY for end in ("low", "high")), "ms_low", "ms_high")
# What goes with a run and is shown in no column of its own.
ASIDE = {
    "name": inside("who", "name"),
    "headline": lambda record: record.headline,
    "score": lambda record: record.score if isinstance(record.score, int | float) else None,
    "config_hash": inside("who", "config_hash"),
    "recipe": inside("who", "recipe_hash"),
    "images": scored_images,
    "train_data": inside("who", "train_data"),
    "hardly_trained": hardly_trained,
    "beyond_chance": beyond_chance,
    "large_batch": large_batch,
    "time": lambda record: str(
        record.where.get("time") or ""
    ),  # as text it sorts, and before versions had one is first
    "models_in_turns": models_in_turns,
    "resident": lambda record: inside("cost", "protocol", "memory")(record) != "torch's allocator",
    "busy": lambda record: was_busy(record.cost) if record.cost.get("batches") else None,
    **{
        f"{name}_{end}": inside("accuracy", "intervals", name, place)
        for name in ACCURACY
        for place, end in enumerate(("low", "high"))
    },
    "ms_low": inside(*ONE, "total_ms", "confidence_low"),
    "ms_high": inside(*ONE, "total_ms", "confidence_high"),
}

if taken := sorted(
    name for name in OF_SCORES if COLUMNS[name] is not OF_SCORES[name] or name in {*BEFORE_SCORES, *ASIDE}
):
    raise UserError(f"a score of conf/task is called {taken[0]}, as a column of all tables is; give it another name")
