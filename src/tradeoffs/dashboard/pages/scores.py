"""Of the page of one run: what depends on the score from which detections count."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from dash import html

from tradeoffs.dashboard import pictures
from tradeoffs.dashboard.pages.components import graph, section
from tradeoffs.dashboard.store import Store
from tradeoffs.dashboard.threshold_figures import FEW, confusion_matrix, f1, precision_recall
from tradeoffs.errors import UserError
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.curves import best_f1, which_classes
from tradeoffs.metrics.matches import Matches
from tradeoffs.results.record import Record


def sections(store: Store, run: str, record: Record) -> Iterator[html.Section]:
    """Older runs have no matches, or no confusion matrix."""
    names = [row["name"] for row in record.accuracy.get("per_class") or []]
    with suppress(UserError):
        matches = pictures.evidence_of(store, run)
        if isinstance(matches, Matches) and len(names) == len(matches.class_ids):
            yield from curves(matches, names)
    with suppress(UserError):
        confusion = Confusion.load(store.file(run, "confusion.json"))
        what = (
            "The most probable class of each image."
            if confusion.threshold is None
            else f"Detections with a score of {confusion.threshold:.2f} or more, matched with objects at an IoU of 0.5 "
            "whatever their classes."
        )
        note = f"{what} A cell is as dark as its part of the row."
        drawn = graph(confusion_matrix(confusion), "confusion")
        kind = "panel half" if len(confusion.rows) <= FEW else "panel"
        yield section("Which class was taken for which", html.P(note, className="caption"), drawn, kind=kind)


def curves(matches: Matches, names: list[str]) -> Iterator[html.Section]:
    note = f"The mean over all classes, and {which_classes(matches)} at an IoU of 0.5 with its average precision."
    drawn = graph(precision_recall(matches, names), "precision_recall")
    yield section("Precision against recall", html.P(note, className="caption"), drawn, kind="panel half")
    best = best_f1(matches)
    note = (
        f"Best F1 over all classes: {best.f1:.2f}, of what scores {best.threshold:.2f} or more, with a precision of "
        f"{best.precision:.2f} and a recall of {best.recall:.2f}."
        if best
        else "No detection found an object."
    )
    drawn = graph(f1(matches, names, best), "f1")
    yield section("F1 against the score, at IoU 0.5", html.P(note, className="caption"), drawn, kind="panel half")
