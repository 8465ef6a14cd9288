"""What an earlier benchmark left: times that are as good as new ones are kept, all others are taken anew."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import tradeoffs
from tradeoffs.commands.model_timing import ModelTiming
from tradeoffs.commands.timed_images import TimedImages
from tradeoffs.measure.environment import FIXED, FIXED_OF_GPU
from tradeoffs.progress_bar import models
from tradeoffs.results.record import Record, record_or_none
from tradeoffs.runs.weights import find_weights
from tradeoffs.settings.saved_runs import find_run

SETTINGS = ("precision", "compile", "cuda_graphs", "seconds", "minutes", "attempts")
# Conditions that are digests, in words.
DIGESTS = {"photos": "other photos", "weights": "other weights", "program": "another version of this program"}


def conditions(
    settings: DictConfig, photos: TimedImages, num_classes: int | None, config: DictConfig
) -> dict[str, Any]:
    """What times of a model depend on besides its settings and the machine; stands in its record's protocol.

    `num_classes` is that of models with random weights.
    """
    return {
        **{name: settings[name] for name in SETTINGS},
        "num_classes": num_classes,
        "photos": digest(file.path for file in photos.files),
        "weights": digest_of_weights(config),
        "program": digest_of_program(),
    }


def keep_earlier(timings: Sequence[ModelTiming]) -> list[str]:
    """Gives each timing what its folder holds of it; returns why others are timed anew, a line for each reason.

    Each has its `where` and its conditions already. A model that failed is tried again.
    """
    reasons: dict[str, int] = {}
    for timing in timings:
        record = record_or_none(timing.folder / "result.json")
        if record is None or record.status == "failed" or not record.cost.get("batches"):
            continue
        if reason := difference(record, timing):
            reasons[reason] = reasons.get(reason, 0) + 1
        else:
            timing.take_over(record)
    return [f"to be timed anew: {count} of {models(len(timings))} ({reason})" for reason, count in reasons.items()]


def difference(record: Record, timing: ModelTiming) -> str | None:
    """Why the record's times are not those that would be found now, as far as can be known; None if they are."""
    if record.who.config_hash != timing.who.config_hash:
        return "other settings"
    before = record.cost.get("protocol", {}).get("conditions")
    if before is None:
        return "under which conditions they were timed is not known"
    pairs = {name: (before.get(name), now) for name, now in timing.protocol["conditions"].items()}
    pairs |= {name: (record.where.get(name), timing.where[name]) for name in FIXED}
    gpu, gpu_now = (where.get("gpu_state") or {} for where in (record.where, timing.where))
    pairs |= {name: (gpu.get(name), gpu_now.get(name)) for name in FIXED_OF_GPU}
    return next(
        (DIGESTS.get(name, f"{name} was {old}, and is {new}") for name, (old, new) in pairs.items() if old != new), None
    )


def digest(files: Iterable[Path]) -> str:
    """Sixteen hexadecimal digits that depend on what is in the files, in their order."""
    found = hashlib.sha256()
    for file in files:
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def digest_of_weights(config: DictConfig) -> str | None:
    """Of a run, or of a file to start from; None where the settings say all."""
    if run := config.get("run"):
        path = find_weights(find_run(run), config.checkpoint)
        return digest([path]) if path.is_file() else None
    weights = config.backbone.get("weights")
    return digest([Path(weights)]) if weights and Path(weights).is_file() else None


@cache
def digest_of_program() -> str:
    return digest(sorted(Path(tradeoffs.__file__).parent.rglob("*.py")))
