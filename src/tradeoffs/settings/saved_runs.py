"""Finding the run that somebody means, or saying why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.settings.published import is_published, make_published_run, published_runs

RUNS = Path("runs")


def find_run(run: str, runs: Path = RUNS) -> Path:
    """The folder of a run, given that folder or its name under `runs`. Raises UserError if there is none.

    A published network is a run that others have trained: `coco/fcos` is made where it is first asked for.
    """
    places = (Path(run), runs / run)
    for folder in places:
        if (folder / "config.yaml").is_file():
            return folder
    if run in published_runs():
        return make_published_run(run, runs)
    if inner := next((place for place in places if place.exists()), None):
        raise no_run(run, inner, runs)
    raise UserError(f"run={run} does not exist;{_similar(run, runs)} {existing_runs(runs)}")


def run_or_none(run: str, runs: Path = RUNS) -> Path | None:
    """The folder of a run that was trained, given that folder or its name; None for anything else."""
    places = (place for place in (Path(run), runs / run) if (place / "config.yaml").is_file())
    return next((place for place in places if any((place / "checkpoints").glob("*.ckpt"))), None)


def runs_of(name: str, runs: Path = RUNS) -> list[str]:
    """The run of that name; where that is the folder of a sweep, all runs in it that were trained."""
    for folder in (Path(name), runs / name):
        if not (folder / "config.yaml").is_file() and (inner := trained_in(folder)):
            return sorted(str(folder / run) for run in inner)
    return [name]


def trained_in(folder: Path) -> list[str]:
    return [name for name in _names(folder) if any((folder / name / "checkpoints").glob("*.ckpt"))]


def no_run(run: str, path: Path, runs: Path) -> UserError:
    """What is wrong with a path that exists but is not the folder of a run: perhaps it lies in one."""
    kind = "folder" if path.is_dir() else "file"
    around = next((folder for folder in path.parents if (folder / "config.yaml").is_file()), None)
    if around is not None:
        weights = path.stem if path.stem in ("best", "last") else path
        use = f" checkpoint={weights}" if path.suffix == ".ckpt" else ""
        return UserError(f"run={run} is a {kind} inside a run; give run={around}{use}")
    if inner := trained_in(path):
        return UserError(f"run={run} is a folder of runs; give run={run.rstrip('/')}/ and one of them: {listed(inner)}")
    if kind == "folder":
        return UserError(f"run={run} is no run: it has no config.yaml; {existing_runs(runs)}")
    return UserError(f"run={run} is a file; give the folder of a run; {existing_runs(runs)}")


def load_run_config(run: str, runs: Path = RUNS) -> DictConfig:
    """The settings that a run was made with. Raises UserError if there is no such run or nothing trained in it."""
    folder = find_run(run, runs)
    config = OmegaConf.load(folder / "config.yaml")
    if not is_published(config) and not any((folder / "checkpoints").glob("*.ckpt")):
        raise UserError(f"run={run} has no checkpoint in {folder / 'checkpoints'}; train it first or choose another")
    if not isinstance(config, DictConfig):
        raise UserError(f"run={run} is damaged: {folder / 'config.yaml'} holds no settings; choose another")
    return config


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
