"""What is left of a job that failed: a record that says so."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from tradeoffs.apps.mistakes import one_line
from tradeoffs.apps.run_folder import save_config
from tradeoffs.errors import BusyError, MismatchError, UserError
from tradeoffs.results.record import Record, read_record, write_record


def record_failure(config: DictConfig, error: Exception | str) -> None:
    """Writes the record and the settings of a run that failed.

    Leaves a folder alone that holds a finished run, or one that another process is at; and what makes no sense leaves
    no record.
    """
    if isinstance(error, BusyError | MismatchError) or is_finished(Path(config.runs) / config.name):
        return
    from tradeoffs.apps.report import identity  # imports torch

    folder = Path(config.runs) / config.name
    save_config(config, folder)
    settings = OmegaConf.to_container(config, resolve=True)
    record = Record(identity(config, None), "failed", described(error), config=settings)
    write_record(folder / "result.json", record)


def is_finished(folder: Path) -> bool:
    try:
        return read_record(folder / "result.json").status == "finished"
    except UserError:  # there is no record, or a damaged one
        return False


def described(error: Exception | str) -> str:
    """In one line."""
    if isinstance(error, str | UserError):
        return str(error)
    return f"{type(error).__name__}: {one_line(error)}".removesuffix(": ")
