"""Records of jobs that failed, or are to be done again."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from filelock import Timeout
from omegaconf import DictConfig, OmegaConf

from tradeoffs.errors import BusyError, MismatchError, UserError
from tradeoffs.results.record import Record, record_or_none, write_record
from tradeoffs.runs.data_hashes import data_now, fault_of_data, saved_hashes
from tradeoffs.runs.folder import finished_record, save_config
from tradeoffs.runs.identity import different_settings, identity
from tradeoffs.runs.lock import lock_of
from tradeoffs.settings.hydra_errors import one_line


def record_failure(config: DictConfig, error: Exception | str) -> None:
    """Writes the record and the settings of a run that failed.

    Leaves a folder alone that holds a finished run, one with other settings, or one that another process is at; and
    what makes no sense leaves no record.
    """
    folder = Path(config.runs) / config.name
    if isinstance(error, BusyError | MismatchError):
        return
    try:
        with lock_of(folder).acquire(timeout=0):
            if finished_record(config) is None and not is_anothers(folder, config):
                save_config(config, folder)
                settings = OmegaConf.to_container(config, resolve=True)
                record = scored_record(folder) or Record(identity(config, None), config=settings)
                write_record(folder / "result.json", replace(record, status="failed", error=described(error)))
    except Timeout:  # somebody tries it again already
        return
    except OSError as problem:  # a full disk must not stop the other jobs
        print(f"the failure of {folder} cannot be recorded: {problem}")


def outdate(config: DictConfig) -> None:
    """Makes a run that is done one that is not, because it is to be trained anew; its scores stay until that begins.

    One that another process trains is left to it.
    """
    path = Path(config.runs) / config.name / "result.json"
    if (record := record_or_none(path)) is None:
        return
    with suppress(Timeout), lock_of(path.parent).acquire(timeout=0):
        write_record(path, replace(record, status="failed", error="to be trained anew: overwrite=true"))


def scored_record(folder: Path) -> Record | None:
    """Of a run that was scored, and perhaps broke while it was timed."""
    record = record_or_none(folder / "result.json")
    return record if record and record.status == "finished" else None


def is_anothers(folder: Path, config: DictConfig) -> bool:
    """Whether a run with other settings or of other data lies there, or something that is no run."""
    settings = folder / "config.yaml"
    if settings.is_file():
        other_data = fault_of_data(config, folder, saved_hashes(folder), data_now(config))
        return bool(different_settings(OmegaConf.load(settings), config) or other_data)
    return (folder / "checkpoints").exists()


def described(error: Exception | str) -> str:
    """In one line."""
    if isinstance(error, str | UserError):
        return str(error)
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")
