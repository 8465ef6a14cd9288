"""A run is a folder, named by the settings that make it differ from the default, not by a clock."""

from __future__ import annotations

import shlex
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.files import write_whole
from tradeoffs.model_facts import operating_point_of
from tradeoffs.results.record import Record, record_or_none


def unscored_points(config: DictConfig) -> str | None:
    """The command that scores a finished run with the operating points that were no setting when it was trained."""
    point = operating_point_of(config.model)
    if point is None or not config.get("operating_points"):
        return None
    folder, values = Path(config.runs) / config.name, config.operating_points
    places = [folder / "evaluations", *folder.glob(f"evaluations/{point.name}=*")]
    missing = [
        str(value)
        for value in ([values] if isinstance(values, int) else values)
        if not any((place / f"{point.name}={value}/result.json").exists() for place in places)
    ]
    run = shlex.quote(f"run={folder}")
    return f"python evaluate.py {run} {point.name}={','.join(missing)} measure=true" if missing else None


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
