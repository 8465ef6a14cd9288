"""What runs are called in tables, figures and sentences: by what tells them apart, in few words."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from tradeoffs.model_facts import operating_points
from tradeoffs.results.seeds import SEED

# Settings of a name that have columns of their own.
IN_COLUMNS = (
    "task",
    "model",
    "backbone",
    "backbone.name",
    "data",
    "image_size",
    *(key for name in operating_points() for key in (f"model.{name}", name)),
)
NEXT = re.compile(r",(?=[+~]*[\w.@/]+=)")  # a value may hold commas itself, where a folder is named by a whole grid
EVALUATED = "evaluations/default"  # with the settings of the run
PREFIX = "trained="  # of a benchmark of trained runs


def distinguishing_names(rows: pd.DataFrame) -> Iterator[str]:
    """Of the folders of rows, what they do not share and no column says."""
    folders = list(map(os.path.abspath, rows.index))
    shared = os.path.commonpath(folders)
    for folder, seeds in zip(folders, rows.get("seeds", [1] * len(rows)), strict=True):
        place = str(Path(folder).relative_to(shared)).replace(EVALUATED, "evaluated again")
        parts = (without_columns(part, seeds > 1) for part in Path(place).parts)
        yield "/".join(part for part in parts if part not in ("", "evaluations"))


def without_columns(name: str, without_seed: bool) -> str:
    """The part of a folder's name that columns do not say: `lr=0.1` of `model=ssd,lr=0.1`."""
    if without_seed:
        name = re.sub(SEED, "", name)
    settings = (setting.removeprefix(PREFIX) for setting in NEXT.split(name))
    kept = [rest for setting in settings if (rest := beyond_columns(setting))]
    return ",".join(kept)


def beyond_columns(setting: str) -> str:
    """Nothing of a setting that has a column; of the last one of a name, the mark that made the name unique."""
    key, _, value = setting.partition("=")
    if not value or key not in IN_COLUMNS:
        return setting.strip(",")
    mark = re.search(r",([0-9a-f]{8})$", value)
    return mark[1] if mark else ""


UNITS = {
    "image_size": "{} px",
    **{point.name: f"{{}} {point.title}" for point in operating_points().values()},
    "seed": "seed {}",
}


def short_names(rows: pd.DataFrame, units: bool = False) -> list[str]:
    """Such as `ssd mobilenet 300`: model, backbone and what else varies, and where that is not enough the folder."""
    varying = [name for name in UNITS if rows[name].nunique() > 1]
    columns = [rows[name].map(word) for name in ("model", "backbone", *varying)]
    if units:
        columns[2:] = [
            column.map(lambda text, form=UNITS[name]: form.format(text) if text else "")
            for column, name in zip(columns[2:], varying, strict=True)
        ]
    names = [" ".join(filter(None, values)) for values in zip(*columns, strict=True)]
    counts = Counter(names)
    if len(counts) == len(names):
        return names
    folders = zip(names, distinguishing_names(rows), strict=True)
    return [f"{name} {folder}".strip() if counts[name] > 1 else name for name, folder in folders]


def word(value: object) -> str:
    """Nothing where there is no value; whole numbers without a point."""
    if pd.isna(value):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
