"""The columns that figures and table can show: those of the results, and what only a comparison needs."""

from __future__ import annotations

import csv
import html
import math
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from tradeoffs.dashboard.address import View, first
from tradeoffs.results.columns import COLUMNS, POINTS, TIMES, Column
from tradeoffs.results.record import Record

DIGITS = 8  # of a setting, which nobody types more of
BACKBONES = Path(__file__).with_name("backbones.csv")
# What another device, or other company on it, changes.
TIMED = (*TIMES, "images_per_second", "memory", "minutes")
GROUPING = ("backbone", "model", "image_size", *POINTS, "data", "device", "sweep", "seed", "precision")


def kind(record: Record) -> str:
    """Who wrote it: train.py, evaluate.py or benchmark.py."""
    if record.training or not (record.accuracy or record.cost):
        return "training"
    return "evaluation" if record.accuracy else "benchmark"


@cache
def backbone_accuracies() -> dict[str, float]:
    with BACKBONES.open(encoding="utf-8") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {row["backbone"]: float(row["top1"]) for row in rows}


def backbone_accuracy(record: Record) -> float:
    return backbone_accuracies().get(record.who.backbone, math.nan)


EXTRA = {
    "kind": Column("kind of record", "", None, kind),
    "backbone_accuracy": Column("ImageNet top-1 of the backbone", "%", "high", backbone_accuracy),
}
# What no record tells: its folder, and how many were averaged.
ASIDE = {name: Column(name, "", None, lambda record: None) for name in ("sweep", "seeds")}
AXES = COLUMNS | EXTRA | ASIDE
NUMBERS = [name for name, column in AXES.items() if column.better] + ["image_size", *POINTS, "epochs"]
CHOICES = {
    "x": NUMBERS,
    "y": NUMBERS,
    "colour": GROUPING,
    "symbol": GROUPING,
    "size": ["", *NUMBERS],
    "scale": ("linear", "log"),
}


def sweep_of(run: str) -> str:
    """The folder of a run's folder; of an evaluation, that of the run that was scored."""
    return run.partition("/evaluations/")[0].rpartition("/")[0]


def formatted(value: object) -> str:
    """A value as people write it, in three or four digits; a dash where there is none."""
    if value is None or value != value or value == "":
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if value.is_integer() else f"{value:.3f}" if abs(value) < 1 else f"{value:.4g}"


def setting(value: object) -> str:
    """The value of a setting: numbers without exponents and without what a binary number adds to a decimal one."""
    match value:
        case None | "":
            return "-"
        case float() if math.isfinite(value):
            return np.format_float_positional(float(f"{value:.{DIGITS}g}"), trim="-")
        case list():
            return f"[{', '.join(map(setting, value))}]"
        case _:
            return str(value)


def plain(value: object) -> str:
    """A value as it stands in an address: whole numbers without a point."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else formatted(value)


def choices_in(view: View, usual: dict[str, str]) -> dict[str, str]:
    """What the view chooses of a figure's `usual` axes and looks, where it is something that can be chosen."""
    return {name: value if (value := first(view, name, own)) in CHOICES[name] else own for name, own in usual.items()}


def label(name: str) -> str:
    """Of an axis, with a capital letter unless it is an abbreviation."""
    return capital(AXES[name].label)


def capital(text: str) -> str:
    return text if text[1:2].isupper() else text[0].upper() + text[1:]


def hovers(rows: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    """What plotly shows of a mark: a template, and for each run the values that it names; the first is the run itself.

    Plotly reads HTML's entities and a few tags.
    """
    names = [name for name in rows.columns.intersection(list(AXES)) if name not in ("status", "error", "sweep")]
    texts = pd.DataFrame({name: texts_of(rows[name]) for name in names}, rows.index)
    texts = texts.loc[:, (texts != "-").any()]
    lines = [f"<br>{AXES[name].label}: %{{customdata[{place}]}}" for place, name in enumerate(texts, 2)]
    texts.insert(0, "name", [html.escape(str(name)) for name in rows["name"]])
    texts.insert(0, "run", rows.index)
    return "".join(["<b>%{customdata[1]}</b>", *lines, "<extra></extra>"]), texts


def texts_of(values: pd.Series) -> list[str]:
    texts = map(formatted, values)
    return list(texts if is_numeric_dtype(values) else map(html.escape, texts))
