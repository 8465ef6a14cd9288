"""Which data a run was made with, and whether those that lie there now are the same. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.data.fingerprint import fingerprint_of
from tradeoffs.data.sources import SplitName
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.results.record import Identity, record_or_none

FILE = "data.json"  # in a run's folder from its first moment on: the record comes only at its end
SPLITS: dict[SplitName, str] = {"train": "training", "val": "validation"}
DIGITS = 6  # of a hash, for people

Hashes = Mapping[str, str | None]  # split -> what `fingerprint_of` says; None where that is not known


def data_now(config: DictConfig, splits: Sequence[SplitName] = tuple(SPLITS)) -> dict[str, str | None]:
    """Of the data as they lie here now."""
    data = OmegaConf.to_container(config.data, resolve=True)
    return {split: fingerprint_of(data, split) for split in splits}


def save_hashes(folder: Path, hashes: Hashes) -> None:
    write_whole(folder / FILE, json.dumps(dict(hashes)))


def saved_hashes(folder: Path) -> Hashes:
    """Of the data that the run in the folder began with; nothing for a run of before there was such a hash."""
    try:
        return dict(json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError):
        record = record_or_none(folder / "result.json")
        return recorded_hashes(record.who) if record else {}


def recorded_hashes(who: Identity) -> Hashes:
    return {"train": who.train_data, "val": who.val_data}


def changes(before: Hashes, now: Hashes) -> tuple[str, ...]:
    """A line for each split that is another one now; what is not known on both sides is in none."""
    return tuple(
        f"{word} data: {old[:DIGITS]} -> {new[:DIGITS]}"
        for split, word in SPLITS.items()
        if (old := before.get(split)) and (new := now.get(split)) and old != new
    )


def fault_of_data(config: DictConfig, folder: Path, before: Hashes, now: Hashes) -> str | None:
    """Why the result of the run in the folder is not one of the data of `config`; None where nothing speaks for it."""
    old, new = roots(config, folder)
    if changes(before, now):
        return f"on other data than those that lie in {new} now" if old else "on data that have changed since"
    if old and not any(before.values()):
        return f"with data.root={old}, and whether {new} holds the same data is not known"
    return None


def roots(config: DictConfig, folder: Path) -> tuple[Path | None, Path | str]:
    """Where the data of the run in the folder lay, if that was elsewhere, and where they lie by `config`."""
    new = OmegaConf.select(config, "data.root") or OmegaConf.select(config, "data.source.root") or config.data.name
    settings = folder / "config.yaml"
    old = OmegaConf.select(OmegaConf.load(settings), "data.root") if settings.is_file() else None
    moved = old is not None and "root" in config.data and Path(old).resolve() != Path(str(new)).resolve()
    return Path(old) if moved else None, new


def require_same_data(config: DictConfig, folder: Path, which: str, remedy: str) -> list[str]:
    """Raises UserError if the run in the folder was made with other data than those of `config` are now.

    Returns what is to be said: that they have moved, or that nobody knows.
    """
    before, now = saved_hashes(folder), data_now(config)
    if fault := fault_of_data(config, folder, before, now):
        details = changes(before, now)
        raise UserError(f"{folder} holds {which} run {fault}; choose another name=, or {remedy}", details)
    old, new = roots(config, folder)
    if not all(before.get(split) for split in SPLITS):
        return ["whether its data have changed since then is not known: it has no hash of them"]
    if not all(now.values()):
        return [f"its data are not in {new} now, so whether they have changed is not known"]
    return [f"its data lie in {new} now, no longer in {old}; they are the same"] if old else []


def unchanged(config: DictConfig, hashes: Hashes) -> tuple[dict[str, str | None], tuple[str, ...]]:
    """The hashes of a run that has just ended without those that no longer hold, and what is to be said about that."""
    now = data_now(config)
    lines = tuple(
        line.replace("data:", "data changed while the run was at work, so its result belongs to neither:")
        for line in changes(hashes, now)
    )
    return {split: old if now[split] == old else None for split, old in hashes.items()}, lines
