"""A run is a folder, named by the settings that make it differ from the default, not by a clock."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from tradeoffs.apps.decisive import decisive, groups_in_order
from tradeoffs.errors import UserError
from tradeoffs.files import write_whole
from tradeoffs.results.record import Record, flat, record_or_none

RUNS = Path("runs")
FIRST_IN_NAMES = ("experiment", "trained", "task", "model", "backbone", "data", "image_size")
LONGEST_NAME = 150  # characters; file systems allow 255 bytes, and checkpoints add a little

# Settings that change where, with what help or how often something runs, but not its result.
NEUTRAL = (
    *("name", "runs", "run", "output", "data_dir", "resume", "overwrite", "measure", "checkpoint_minutes", "jobs"),
    *("trials", "stop_hopeless", "workers", "logger", "operating_points", "lookup"),
    *("data.source.root", "trainer.accelerator", "trainer.devices", "trainer.log_every_n_steps"),
    "trainer.enable_progress_bar",
)

# Settings of an evaluation that leave the run as it was trained: its record is one of the run itself.
AS_TRAINED = (("checkpoint", "best"), ("num_proposals", None))

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
    short = ",".join(f"{key}={chosen[key].rpartition('/')[2]}" for key in keys)
    name = re.sub(r"[^\w.,=~+-]", "-", short)
    if name == exact and len(name) <= LONGEST_NAME:
        return name or "default"
    mark = hashlib.sha256(exact.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - len(mark) - 1]},{mark}"


def _split(override: str) -> tuple[str, str]:
    key, _, value = override.partition("=")
    return key.lstrip("+"), re.sub(r"""["'\s\[\]]""", "", value)


def matters(key: str) -> bool:
    return not any(key == neutral or key.startswith(f"{neutral}.") for neutral in NEUTRAL)


def register_resolvers() -> None:
    """Makes `${run_name:}`, `${run_folder:RUN}`, `${chosen:GROUP}` and `${if_equal:A,B,THEN,ELSE}` known to OmegaConf.

    Call it before composing.
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

    OmegaConf.register_new_resolver("run_name", name, replace=True)
    OmegaConf.register_new_resolver("chosen", chosen, replace=True)
    OmegaConf.register_new_resolver("if_equal", lambda a, b, then, other: then if a == b else other, replace=True)
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


def find_run(run: str, runs: Path = RUNS) -> Path:
    """The folder of a run, given that folder or its name under `runs`. Raises UserError if there is none."""
    places = (Path(run), runs / run)
    for folder in places:
        if (folder / "config.yaml").is_file():
            return folder
    if inner := next((place for place in places if place.exists()), None):
        raise no_run(run, inner, runs)
    raise UserError(f"run={run} does not exist;{_similar(run, runs)} {existing_runs(runs)}")


def no_run(run: str, path: Path, runs: Path) -> UserError:
    """What is wrong with a path that exists but is not the folder of a run: perhaps it lies in one."""
    kind = "folder" if path.is_dir() else "file"
    around = next((folder for folder in path.parents if (folder / "config.yaml").is_file()), None)
    if around is not None:
        weights = path.stem if path.stem in ("best", "last") else path
        use = f" checkpoint={weights}" if path.suffix == ".ckpt" else ""
        return UserError(f"run={run} is a {kind} inside a run; give run={around}{use}")
    if inner := [name for name in _names(path) if (path / name / "checkpoints").is_dir()]:
        return UserError(f"run={run} is a folder of runs; give run={run.rstrip('/')}/ and one of them: {listed(inner)}")
    if kind == "folder":
        return UserError(f"run={run} is no run: it has no config.yaml; {existing_runs(runs)}")
    return UserError(f"run={run} is a file; give the folder of a run; {existing_runs(runs)}")


def load_run_config(run: str, runs: Path = RUNS) -> DictConfig:
    """The settings that a run was made with. Raises UserError if there is no such run or nothing trained in it."""
    folder = find_run(run, runs)
    if not any((folder / "checkpoints").glob("*.ckpt")):
        raise UserError(f"run={run} has no checkpoint in {folder / 'checkpoints'}; train it first or choose another")
    config = OmegaConf.load(folder / "config.yaml")
    if not isinstance(config, DictConfig):
        raise UserError(f"run={run} is damaged: {folder / 'config.yaml'} holds no settings; choose another")
    return config


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


def existing_runs(runs: Path = RUNS) -> str:
    names = _names(runs)
    return f"in {runs}/ there are: {listed(names)}" if names else f"there are no runs in {runs}/ yet"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The newest. Names of runs have commas, so something else stands between them."""
    return " | ".join(names[:most]) + (f" | and {len(names) - most} older ones" if len(names) > most else "")


def _names(runs: Path) -> list[str]:
    """Of all runs, those of sweeps too, the newest first, and by alphabet where they are equally old."""
    single = sorted(runs.glob("*/config.yaml"))
    in_sweeps = [file for file in sorted(runs.glob("*/*/config.yaml")) if file.parents[1] / file.name not in single]
    found = sorted(single + in_sweeps, key=lambda file: file.stat().st_mtime, reverse=True)
    return [str(file.parent.relative_to(runs)) for file in found]


def _similar(run: str, runs: Path) -> str:
    """` did you mean NAME?`, for a name that is spelled alike or contains what was typed."""
    word, names = Path(run).name, _names(runs)
    containing = [name for name in names if word and word.lower() in name.lower()]
    close = containing or get_close_matches(word, names, n=1)
    return f" did you mean {close[0]}?" if close else ""


def without_neutral(config: DictConfig) -> dict[str, object]:
    """The settings that make a run what it is, dotted and resolved."""
    settings = dict(flat(OmegaConf.to_container(config, resolve=True)))
    if run := config.get("run"):
        trained = OmegaConf.load(find_run(str(run)) / "config.yaml")
        settings |= {key: value for key in OF_TRAINING if (value := OmegaConf.select(trained, key)) is not None}
    return {key: value for key, value in settings.items() if matters(key) and (key, value) not in AS_TRAINED}


def data_name(config: DictConfig) -> str:
    """Of the data set: of somebody's own its folder's, so that two of them are not taken for one."""
    root = config.data.get("root")
    return Path(root).resolve().name if root else config.data.name


def different_settings(old: DictConfig, new: DictConfig) -> tuple[str, ...]:
    """`key: old -> new` for every setting in which two runs differ, neutral ones aside."""
    before, after = without_neutral(old), without_neutral(new)
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return tuple(f"{key}: {before.get(key)} -> {after.get(key)}" for key in keys)
