"""result.json: the one record of a run that everything later reads."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from reprlib import repr as shortened
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.task_facts import headline_of

SCHEMA_VERSION = 3  # raised when a reader of the old form would misread the new one


@dataclass
class Identity:
    """Which run this is: what its config says, and the code that ran it."""

    name: str
    task: str
    model: str
    backbone: str
    data: str
    image_size: int | list[int]
    seed: int
    config_hash: str
    git_commit: str | None = None
    recipe_hash: str | None = None  # of all that config_hash depends on but the seed; not in schema 1
    train_data: str | None = None  # hash of the split that was trained on, see data/fingerprint.py; not in schema 2
    val_data: str | None = None  # and of the one that was scored


@dataclass
class Record:
    """A run's outcome. A value that could not be measured is None, never a stand-in number.

    A failed run has the `error` in one line, and whatever was measured before it failed; one that was stopped early
    the reason, and the scores of its best weights so far.
    """

    who: Identity
    status: Literal["finished", "failed", "stopped"] = "finished"
    error: str | None = None
    accuracy: dict[str, Any] = field(default_factory=dict)  # the metric's full table
    cost: dict[str, Any] = field(default_factory=dict)  # parameters, multiply-adds, times, memory, and the protocol
    training: dict[str, Any] = field(default_factory=dict)  # epochs, wall time, images per second
    config: dict[str, Any] = field(default_factory=dict)  # all settings, resolved; not in schema 1
    where: dict[str, Any] = field(default_factory=dict)  # device and library versions
    schema_version: int = SCHEMA_VERSION

    @property
    def headline(self) -> str:
        """The name of the score that counts most, by default the task's own. Settings of before do not say it."""
        task = self.config.get("task")
        return (task.get("headline") if isinstance(task, dict) else None) or headline_of(self.who.task) or "score"

    @property
    def score(self) -> Any:
        """That score as it stands in the file; None where nothing was scored."""
        return (self.accuracy.get("summary") or {}).get(self.headline)


def write_record(path: Path, record: Record) -> None:
    """Writes the file whole or not at all: a crash or a full disk leaves the earlier one as it was."""
    write_whole(path, json.dumps(plain(record), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def read_record(path: Path) -> Record:
    """Raises UserError if the file is missing, damaged or written by a newer version."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist; a run writes it when it ends") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # neither JSON nor UTF-8
        raise UserError(f"{path} is damaged: {error}; run the job again to write it anew") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise UserError(f"{path} is no record of a run: it has no schema_version")
    if version > SCHEMA_VERSION:
        raise UserError(f"{path} has schema {version}, this version reads up to {SCHEMA_VERSION}; update tradeoffs")
    if fault := fault_of(Record, content) or fault_of(Identity, content["who"]):
        raise UserError(f"{path} is damaged: {fault}; run the job again to write it anew")
    return Record(**{**content, "who": Identity(**content["who"])})


def record_or_none(path: Path) -> Record | None:
    """None where there is none, or a damaged one, which is as good as none."""
    try:
        return read_record(path)
    except UserError:
        return None


def fault_of(kind: type, content: Any) -> str | None:
    """Why a `kind` cannot be made of the fields of `content`, or None."""
    if not isinstance(content, dict):
        return f"{kind.__name__} is no group of fields"
    known = {each.name: each.default is MISSING and each.default_factory is MISSING for each in fields(kind)}
    if missing := [name for name, required in known.items() if required and name not in content]:
        return f"no {', '.join(missing)} in {kind.__name__}"
    if unknown := [name for name in content if name not in known]:
        return f"unknown {', '.join(unknown)} in {kind.__name__}"
    hints = types_of(kind)
    odd = [name for name, value in content.items() if name != "who" and not fits(value, hints[name])]
    return f"{odd[0]} is {shortened(content[odd[0]])}" if odd else None


@cache
def types_of(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of JSON is of a type, as far as its outermost brackets."""
    if isinstance(hint, UnionType):
        return any(fits(value, each) for each in get_args(hint))
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    return isinstance(value, get_origin(hint) or hint)


def config_hash(config: dict[str, Any]) -> str:
    """Sixteen hexadecimal digits that depend on keys and values alone, not on the order of the keys."""
    text = json.dumps(plain(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def plain(value: Any) -> Any:
    """`value` as JSON can hold it. Numbers that are not finite become None: JSON has no word for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return plain({each.name: getattr(value, each.name) for each in fields(value)})
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):  # arrays, tensors and their scalars, without importing their libraries
        return plain(value.tolist())
    return value
