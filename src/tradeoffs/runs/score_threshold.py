"""From which score on a run's detections are shown, where nobody says it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from omegaconf import OmegaConf

from tradeoffs.metrics.curves import USUAL_SCORE
from tradeoffs.results.record import record_or_none
from tradeoffs.runs.weights import Weights
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
    if not finds_objects(run):
        return Threshold(0.0)
    best = best_f1_of(run, weights)
    if best is None:
        return Threshold(USUAL_SCORE, "no better one was measured for these weights")
    return Threshold(best["threshold"], f"best F1 on validation, {best['f1']:.2f}")


def finds_objects(run: Path) -> bool:
    """Some more surely than others, so that its model has a threshold. Others say something of each image or person."""
    settings = run / "config.yaml"
    return not settings.is_file() or OmegaConf.select(OmegaConf.load(settings), "model.score_threshold") is not None


def best_f1_of(run: Path, weights: Weights) -> dict[str, float] | None:
    """A run's record is of its best checkpoint, so others have none; nor do runs of before it was recorded."""
    record = record_or_none(run / "result.json")
    if record is None or weights.path.resolve() != (run / "checkpoints" / BEST).resolve():
        return None
    if sorted(weights.category_ids) != [row.get("id") for row in record.accuracy.get("per_class") or []]:
        return None
    return record.accuracy.get("best_f1")
