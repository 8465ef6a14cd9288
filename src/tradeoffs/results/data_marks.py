"""Rows that were trained or scored on other data than the rest: told apart, and said."""

from __future__ import annotations

import pandas as pd

DIGITS = 6  # of a hash, for people
KINDS = {"train_data": "trained on", "images": "scored on"}


def is_hash(images: object) -> bool:
    """Whether it is known what they are; older records count the objects of each class instead."""
    return isinstance(images, str) and images != "" and ":" not in images


def data_note(rows: pd.DataFrame) -> str:
    """What is said where the rows were scored on several sets of images, or may have been; else nothing."""
    scored = {images for images in rows["images"].dropna() if images}
    known = {images for images in scored if is_hash(images)}
    sets = max(len(known), len(scored - known))
    if sets > 1:
        return f"Scored on {sets} different sets of images: accuracies do not compare."
    if len(scored) > 1:
        return "Whether all were scored on the same images is not known: some records are older than that knowledge."
    return ""


def data_marks(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Columns of short marks for what rows with scores were trained and scored on, where they differ."""
    scored = rows["score"].notna()
    varying = {name: title for name, title in KINDS.items() if rows.loc[scored, name].fillna("").nunique() > 1}
    return {
        title: [mark(data) if counts else "" for data, counts in zip(rows[name], scored, strict=True)]
        for name, title in varying.items()
    }


def mark(data: object) -> str:
    return str(data)[:DIGITS] if is_hash(data) else "not known"
