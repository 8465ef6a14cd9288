"""From which score on a run's detections are shown, where nobody says it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig, OmegaConf

from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.pictures.skeletons import LEAST_PEAK
from tradeoffs.results.record import record_or_none
from tradeoffs.runs.weights import Weights
from tradeoffs.task_facts import annotations_in
from tradeoffs.training.checkpoint_files import BEST


class Threshold(NamedTuple):
    """Where nobody chose it, `why` says where it comes from."""

    score: float
    why: str = ""

    def __str__(self) -> str:
        return f"a score of {self.score:.3g} or more ({self.why})" if self.why else f"a score of {self.score} or more"


def threshold_of(min_score: float | str, run: Path, weights: Weights) -> Threshold:
    """With `auto` that of the best F1 on the validation split, if these weights are the ones it was found with."""
    if min_score != "auto":
        return Threshold(min_score)
    best, config = best_f1_of(run, weights), settings_of(run)
    if best is None and "person" in annotations_in(config):
        return Threshold(LEAST_PEAK, "of a joint's peak")
    if best is None and config and OmegaConf.select(config, "model.score_threshold") is None:
        return Threshold(0.0)  # something is said of each image; its model has no threshold
    if best is None:
        return Threshold(USUAL_SCORE, "no better one was measured for these weights")
    return Threshold(best["threshold"], f"best F1 on validation, {best['f1']:.2f}")


def settings_of(run: Path) -> DictConfig:
    """Empty where they are not there."""
    settings = run / "config.yaml"
    return OmegaConf.load(settings) if settings.is_file() else OmegaConf.create()


def best_f1_of(run: Path, weights: Weights) -> dict[str, float] | None:
    """A run's record is of its best checkpoint, so others have none; nor do runs of before it was recorded."""
    record = record_or_none(run / "result.json")
    if record is None or weights.path.resolve() != (run / "checkpoints" / BEST).resolve():
        return None
    if sorted(weights.category_ids) != [row.get("id") for row in record.accuracy.get("per_class") or []]:
        return None
    return record.accuracy.get("best_f1")
