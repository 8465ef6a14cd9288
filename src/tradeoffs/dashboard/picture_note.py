"""What is said above pictures of a run."""

from __future__ import annotations

from tradeoffs.dashboard.pictures import read_predictions, says_only
from tradeoffs.dashboard.store import Store
from tradeoffs.task_facts import annotations_of

TRUTH = "Dashed lines: the truth, in the colour of its class, with a name where it was missed."
BESIDE = "Left: what was found. Right: the truth."
TOLD = "What is said of each image, and the truth where the run wrote it down."


def explained(store: Store, run: str) -> str:
    """What pictures of the run show besides what was found."""
    if {"label_map", "person"} & {*annotations_of(store.record_and_row(run)[0].who.task)}:
        return BESIDE
    try:
        predictions = store.file(run, "predictions.json")
        found = read_predictions(predictions, predictions.stat().st_mtime_ns)
    except (OSError, ValueError):  # each picture says what is wrong with the file
        return TRUTH
    return TOLD if any(map(says_only, found.values())) else TRUTH
