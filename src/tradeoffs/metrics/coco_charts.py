"""Precision-recall and F1 curves and the confusion matrix as pictures in a run's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tradeoffs.files import write_whole
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.curves import f1_lines, precision_lines, which_classes
from tradeoffs.metrics.matches import Matches
from tradeoffs.pictures.charts import Chart, Curve, line_charts, matrix_chart

CURVES, MATRIX = "pictures/precision_recall.svg", "pictures/confusion.svg"


def draw_scores(folder: Path, matches: Matches, confusion: Confusion) -> None:
    """Both pictures, below `folder`."""
    (folder / CURVES).parent.mkdir(parents=True, exist_ok=True)
    precision, f1 = ([Curve(*line) for line in of(matches, confusion.classes)] for of in (precision_lines, f1_lines))
    classes = which_classes(matches)
    charts = [
        Chart(f"All, and {classes} at IoU 0.5", "recall", "precision", precision),
        Chart("At IoU 0.5, of what scores as much or more", "score", "F1", f1),
    ]
    write_whole(folder / CURVES, line_charts(charts))
    title = f"Found with a score of {confusion.threshold:.3g} or more, at IoU 0.5"
    write_whole(folder / MATRIX, matrix_chart(title, confusion.rows, confusion.columns, np.array(confusion.matrix)))
