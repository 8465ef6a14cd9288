"""Why a result should not be taken for what its model can do."""

from __future__ import annotations

from tradeoffs.results.record import Record

FEW_STEPS = 200  # in which pretrained weights may learn much, but none that scores so little has
LITTLE, NOTHING = 0.1, 0.02  # of the headline score


def hardly_trained(record: Record) -> str | None:
    """Such as `48 steps, mAP 0.013: hardly trained`; None for an honest result, and for one without a score.

    Few steps alone are no fault: fine-tuning may need no more. Neither is a low score alone, for data may be hard. Both
    together are, and so is a score next to nothing after however many steps.
    """
    score, steps = record.score, record.training.get("steps")
    if not isinstance(score, int | float):
        return None
    beyond = beyond_chance(record)
    if isinstance(steps, int) and steps < FEW_STEPS and beyond < LITTLE:
        return f"{steps} steps, {record.headline} {score:.3f}: hardly trained"
    if beyond < NOTHING:
        after = "" if steps is None else f" after {steps:,} steps"
        return f"{record.headline} {score:.3f}{after}: next to nothing was learned"
    return None


def beyond_chance(record: Record) -> float | None:
    """The part of the way from chance to a perfect score; None for a record without one."""
    if not isinstance(record.score, int | float):
        return None
    return (record.score - chance(record)) / (1 - chance(record))


def chance(record: Record) -> float:
    """The accuracy of who takes every image for the commonest class; 0 where objects are to be found."""
    rows = record.accuracy.get("per_class") or []
    counts = [row.get("instances") or 0 for row in rows if isinstance(row, dict) and "accuracy" in row]
    return min(max(counts) / sum(counts), 0.99) if sum(counts) else 0.0
