"""What `python -m tradeoffs.proposals` wrote, as one table. Its two files come from a disk, so they are checked."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from reprlib import repr as shortened
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from tradeoffs.dashboard.axes import setting
from tradeoffs.errors import UserError

FOLDER = "proposals"  # somewhere below which the scores of each command have a folder
FILES = SUMMARY, RECALL = "summary.json", "recall.csv"
REMEDY = "type the same python -m tradeoffs.proposals again to write it anew"
DRAWN = {0.5, 0.7}  # IoUs that figures name
SAME_IMAGES = ["known", "split", "images", "objects"]
NUMBER, ROUNDING = (int, float), 1e-5
COLUMNS = ("folder", "label", "data", *SAME_IMAGES, "hash", "regions", "ms", "device", "n", "iou", "recall")


class Scores(NamedTuple):
    algorithm: str
    options: dict[str, Any]
    facts: dict[str, Any]  # the same for all rows
    recall: pd.DataFrame  # n, iou, recall


@lru_cache(maxsize=1024)
def read_scores(summary: Path, recall: Path, *written_at: int) -> Scores:
    """Raises UserError if a file is missing or damaged, or if they are not of one command."""
    for file in (summary, recall):
        if not file.is_file():
            raise UserError(f"{file} does not exist; {REMEDY}")
    try:
        return parsed(json.loads(summary.read_text(encoding="utf-8")), pd.read_csv(recall))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, OverflowError, RecursionError) as fault:
        said = " ".join(str(fault).split())  # pandas says some in several lines
        raise UserError(f"{summary} or its {RECALL} is damaged: {said}; {REMEDY}") from None


def parsed(summary: Any, recall: pd.DataFrame) -> Scores:
    """Raises ValueError for what the command does not write."""
    options, split = dict(value(summary, dict, "proposals")), value(summary, str, "data", "split")
    facts = {
        "data": value(summary, str, "data", "name"),
        "split": split,
        "hash": value(summary, str | None, "data", split),
        "images": value(summary, int, "images"),
        "objects": value(summary, int, "objects"),
        "regions": float(value(summary, NUMBER, "regions_per_image")),
        "ms": math.nan,
        "device": None,
    }
    if value(summary, dict | None, "milliseconds_per_image"):
        facts["ms"] = float(value(summary, NUMBER, "milliseconds_per_image", "median"))
        facts["device"] = value(summary, str, "milliseconds_per_image", "where", "device")
    require_same(value(summary, list, "by_count"), grid(recall))
    algorithm = value(options, str, "name")
    del options["name"]
    return Scores(algorithm, options, facts, recall.astype({"n": int}))


def value(content: Any, kind: Any, *keys: str) -> Any:
    """What stands below the keys. Raises ValueError if it is of another kind, or a number that cannot be."""
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    is_number = isinstance(content, NUMBER)
    if isinstance(content, bool) or not isinstance(content, kind) or (is_number and not 0 <= float(content) < math.inf):
        raise ValueError(f"{'.'.join(keys)} is {shortened(content)}")
    return content


def grid(recall: pd.DataFrame) -> pd.DataFrame:
    """A row for each number of regions, a column for each IoU. Raises ValueError if one is missing, or no recall."""
    if list(recall) != ["n", "iou", "recall"]:
        raise ValueError(f"{RECALL} has other columns than n, iou, recall")
    found = recall.astype(float).pivot(index="n", columns="iou", values="recall")
    counts = (found.index >= 1) & (found.index % 1 == 0)
    if not (found.ge(0) & found.le(1)).all(axis=None) or not set(found) >= DRAWN or not counts.all():
        raise ValueError(f"{RECALL} is not whole")
    return found


def require_same(by_count: list, found: pd.DataFrame) -> None:
    """Raises ValueError where the summary has other numbers: of a command that was broken off between both files."""
    said = np.array([[value(row, NUMBER, name) for name in ("regions", "average recall")] for row in by_count], float)
    there = np.column_stack([found.index, found.mean(axis=1)])
    if said.shape != there.shape or not np.allclose(said, there, rtol=0, atol=ROUNDING):
        raise ValueError(f"{SUMMARY} and {RECALL} are of different commands")


def scores_table(scores: dict[str, Scores]) -> pd.DataFrame:
    """A row for each folder, number of regions and IoU; no rows where there are none.

    `known` is what tells data apart: where they have no hash, nobody knows that others are the same.
    """
    if not scores:
        return pd.DataFrame(columns=list(COLUMNS))
    facts = pd.DataFrame([each.facts for each in scores.values()])
    facts["folder"], facts["label"] = list(scores), labels(list(scores.values()))
    facts["known"] = facts["hash"].where(facts["hash"].notna(), facts["folder"])
    alike = facts.duplicated([*SAME_IMAGES, "label"], keep=False)
    facts["label"] = facts["label"].mask(alike, facts["label"] + " in " + facts["folder"])
    tables = [each.recall.assign(folder=name) for name, each in scores.items()]
    return facts.merge(pd.concat(tables), on="folder")[list(COLUMNS)]


def labels(scores: list[Scores]) -> list[str]:
    """Algorithms, each with the options in which it differs from others of its name."""
    texts = []
    for algorithm, options, *_ in scores:
        others = [each.options for each in scores if each.algorithm == algorithm]
        own = [key for key in options if any(other.get(key) != options[key] for other in others)]
        texts.append(", ".join([algorithm, *(f"{key} {setting(options[key])}" for key in own)]))
    return texts
