"""A question's answer in a sentence, and in further ones why it may be another.

Rows compare that are of one task, data set, kind of given boxes and set of validation images, and where times are asked
for of one device; each such group has an answer of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tradeoffs.results.columns import headline
from tradeoffs.results.contenders import Answer, Contenders, asks_accuracy
from tradeoffs.results.data_marks import is_hash, mark
from tradeoffs.results.question import Question, title
from tradeoffs.results.seeds import DATA, as_one, over_seeds_table


def answers(runs: pd.DataFrame, question: Question, root: Path = Path()) -> list[Answer]:
    """One for each group of runs that compare, the largest first; none where no run has the columns.

    `runs` is a table of records, whose folders are below `root`.
    """
    if question.best is None:
        parts = [rows for _, rows in runs.groupby("task", sort=False)]
        return [each for rows in parts for each in answers(rows, question._replace(best=headline(rows)), root)]
    rows = answering(runs, question)
    if rows.empty:
        return []
    single = as_one(runs[runs["status"] == "finished"])
    keys = ["task", "data", "given_boxes", *(["images"] if asks_accuracy(question) else [])]
    keys += ["device"] if question.of_device else []
    keys += ["large_batch"] if question.of_large_batch else []
    groups = sorted(rows.groupby(keys, dropna=False, sort=False), key=lambda group: -len(group[1]))
    several = rows.groupby(["task", "data"])["images"].transform("nunique") > 1
    return [
        Contenders(group, single, question, root, about(values, keys, bool(several[group.index[0]]))).answer()
        for values, group in groups
    ]


def answering(runs: pd.DataFrame, question: Question) -> pd.DataFrame:
    """Means over seeds of finished runs that have the columns; each once, where the machine makes no difference."""
    if not (runs["status"] == "finished").any():
        return runs[:0]
    rows = over_seeds_table(runs)
    rows = rows[np.isfinite(rows[question.columns].astype(float)).all(axis=1)]
    return rows if question.of_device else rows.drop_duplicates(["recipe", *DATA])


def left_out(runs: pd.DataFrame, question: Question) -> str:
    """How many records take no part, and why; nothing where all do."""
    rows, parts = over_seeds_table(runs) if (runs["status"] == "finished").any() else runs[:0], []
    for _, group in rows.groupby("task", sort=False):
        columns = question._replace(best=question.best or headline(group)).columns
        lacking = int((~np.isfinite(group[columns].astype(float))).any(axis=1).sum())
        parts += [f"{lacking} without {' or '.join(map(title, columns))}"] if lacking else []
    parts += [f"{count} {status}" for status, count in runs["status"].value_counts().items() if status != "finished"]
    return f"Left out: {'; '.join(parts)}." if parts else ""


def about(values: tuple, keys: list[str], several_images: bool) -> str:
    """Such as `shapes, AMD EPYC, 1 thread`."""
    given = dict(zip(keys, values, strict=True))
    words = [given["data"], given["given_boxes"], given.get("device")]
    words += [f"batches of {given['large_batch']:.0f}"] if pd.notna(given.get("large_batch")) else []
    if several_images and "images" in given:
        words.append(f"scored on {objects(given['images'])}")
    return ", ".join(str(word) for word in words if pd.notna(word) and word != "")


def objects(images: object) -> str:
    """What tells sets of images apart, for people; see `scored_images`."""
    if is_hash(images):
        return f"images {mark(images)}"
    counts = [part.rpartition(":")[2] for part in str(images).split(",")]
    known = [int(count) for count in counts if count.isdigit()]
    return f"{sum(known):,} objects" if known else "unknown images"
