"""A run is a folder, named by the settings that make it differ from the default, not by a clock."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tradeoffs.apps.decisive import decisive, groups_in_order
from tradeoffs.apps.saved_runs import find_run
from tradeoffs.files import write_whole
from tradeoffs.results.neutral import PLACES, matters
from tradeoffs.results.record import Record, flat, record_or_none

FIRST_IN_NAMES = ("experiment", "trained", "task", "model", "backbone", "data", "image_size")
LONGEST_NAME = 150  # bytes; file systems allow 255 bytes, and checkpoints add a little

# Settings of an evaluation that leave the run as it was trained: its record is one of the run itself. And defaults of
# settings that earlier runs did not have.
AS_TRAINED = (
    *(("checkpoint", "best"), ("num_proposals", None)),
    *(("task.max_detections", 100), ("backbone.width", None), ("backbone.width", 1.0)),
)

# Settings of a training that whatever is done with the run replaces: its record is one of the run itself all the same.
OF_TRAINING = ("backbone.weights", "trainer.strategy", "trainer.num_nodes")


def run_name(overrides: Sequence[str], groups: Sequence[str] = ()) -> str:
    """A file name for overrides: the groups first, in their order, then the other keys by alphabet.

    The order in which they were typed does not matter. A name that is cut, or in which a character had to be
    replaced, ends in a hash of the whole, so different overrides never share a folder. `${run_name:}` leaves out
    those that repeat a default.
    """
    chosen = dict(map(_split, overrides))
    rank = {group: place for place, group in enumerate(groups)}
    keys = sorted(filter(matters, chosen), key=lambda key: (rank.get(key.split(".")[0], len(rank)), key))
    exact = ",".join(f"{key}={chosen[key]}" for key in keys)
    short = ",".join(f"{key}={_without_folders(chosen[key])}" for key in keys)
    name = re.sub(r"[^\w.,=~+-]", "-", short)
    if name == exact and len(name.encode()) <= LONGEST_NAME:
        return name or "default"
    mark = hashlib.sha256(exact.encode(errors="surrogateescape")).hexdigest()[:8]
    start = name.encode()[: LONGEST_NAME - len(mark) - 1].decode(errors="ignore")
    return f"{start},{mark}"


def _without_folders(values: str) -> str:
    return ",".join(value.rpartition("/")[2] for value in values.split(","))


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), re.sub(r"""["'\s\[\]]""", "", value)


def register_resolvers() -> None:
    """Makes what the configs compute with known to OmegaConf; call it before composing.

    `${run_name:}`, `${run_folder:RUN}`, `${chosen:GROUP}`, `${if_equal:A,B,THEN,ELSE}`, `${if_less:A,B,THEN,ELSE}`,
    `${at_least_pixels:PART,PIXELS,SIDE}`: a part of an image's side that is no fewer pixels.
    """

    def part_of_hydra(root: DictConfig) -> DictConfig:
        return root.get("hydra") or HydraConfig.get()  # a job's own config comes without that part

    def name(*, _root_: DictConfig) -> str:
        hydra = part_of_hydra(_root_)
        given = OmegaConf.to_container(hydra.overrides.task, resolve=False)
        mattering = [text for text in given if matters(_split(text)[0])]
        return run_name(decisive(mattering, _root_, hydra), groups_in_order(hydra))

    def chosen(group: str, *, _root_: DictConfig) -> str:
        return part_of_hydra(_root_).runtime.choices[group]

    def less(a: object, b: float, then: object, other: object) -> object:
        return then if isinstance(a, int | float) and a < b else other  # what else it may be is checked later

    def part(part: float, pixels: float, side: object) -> float:
        return max(part, pixels / side) if isinstance(side, int | float) and side > 0 else part

    OmegaConf.register_new_resolver("run_name", name, replace=True)
    OmegaConf.register_new_resolver("chosen", chosen, replace=True)
    OmegaConf.register_new_resolver("if_equal", lambda a, b, then, other: then if a == b else other, replace=True)
    OmegaConf.register_new_resolver("if_less", less, replace=True)
    OmegaConf.register_new_resolver("at_least_pixels", part, replace=True)
    OmegaConf.register_new_resolver("run_folder", lambda run: str(find_run(run)), replace=True)


def unscored_points(config: DictConfig) -> str | None:
    """The command that scores a finished run with the operating points that were no setting when it was trained."""
    if "num_proposals" not in config.model or not config.get("operating_points"):
        return None
    folder, points = Path(config.runs) / config.name, config.operating_points
    places = [folder / "evaluations", *folder.glob("evaluations/num_proposals=*")]
    counts = [
        str(count)
        for count in ([points] if isinstance(points, int) else points)
        if not any((place / f"num_proposals={count}/result.json").exists() for place in places)
    ]
    run = shlex.quote(f"run={folder}")
    return f"python evaluate.py {run} num_proposals={','.join(counts)} measure=true" if counts else None


def save_config(config: DictConfig, folder: Path) -> None:
    """The folder, with all settings in its `config.yaml`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))


def finished_record(config: DictConfig) -> Record | None:
    """The record of the run with these settings' name; None unless it has nothing left to do.

    One that failed has, one that was cut while it was timed, and one that was stopped early if runs are not to be
    stopped. A damaged record is as good as none.
    """
    record = record_or_none(Path(config.runs) / config.name / "result.json")
    if record is None:
        return None
    measured = bool(record.cost) or not config.get("measure")
    done = {"finished": measured, "stopped": config.get("stop_hopeless") is True}
    return record if done.get(record.status) else None


def without_neutral(config: DictConfig) -> dict[str, object]:
    """The settings that make a run what it is, dotted and resolved."""
    settings = dict(flat(OmegaConf.to_container(config, resolve=True)))
    if run := config.get("run"):
        trained = OmegaConf.load(find_run(str(run)) / "config.yaml")
        settings |= {key: value for key in OF_TRAINING if (value := OmegaConf.select(trained, key)) is not None}
    counting = {key: value for key, value in settings.items() if matters(key) and key not in PLACES}
    return {key: value for key, value in counting.items() if (key, value) not in AS_TRAINED}


def data_name(config: DictConfig) -> str:
    """Of the data set: of somebody's own its folder's, so that two of them are not taken for one."""
    root = config.data.get("root")
    return Path(root).resolve().name if root else config.data.name


def different_settings(old: DictConfig, new: DictConfig) -> tuple[str, ...]:
    """`key: old -> new` for every setting in which two runs differ, neutral ones aside."""
    before, after = without_neutral(old), without_neutral(new)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys)
