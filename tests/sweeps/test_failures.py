"""What the record of a failed job holds."""

from dataclasses import replace
from pathlib import Path

import pytest
from omegaconf import DictConfig

from tradeoffs.results.record import Record, read_record, write_record
from tradeoffs.runs.identity import identity
from tradeoffs.runs.lock import lock_of
from tradeoffs.settings.compose import compose
from tradeoffs.sweeps.failures import outdate, record_failure


@pytest.fixture
def config(tmp_path: Path) -> DictConfig:
    return compose("train", [f"runs='{tmp_path}'", "name=run"])


def write(config: DictConfig, **parts) -> Path:
    path = Path(config.runs) / config.name / "result.json"
    path.parent.mkdir()
    write_record(path, replace(Record(identity(config, None), accuracy={"summary": {"mAP": 0.3}}), **parts))
    return path


def test_what_broke_while_it_was_timed_keeps_its_scores(config):
    path = write(config)
    record_failure(config, RuntimeError("no clock"))
    record = read_record(path)
    assert (record.status, record.error) == ("failed", "RuntimeError: no clock")
    assert record.accuracy == {"summary": {"mAP": 0.3}}


def test_a_finished_run_stays_as_it_is(config):
    path = write(config, cost={"parameters": 1})
    record_failure(config, RuntimeError("too late"))
    assert read_record(path).status == "finished"


def test_the_scores_of_an_earlier_failure_are_forgotten(config):
    path = write(config, status="failed", error="an earlier one")
    record_failure(config, RuntimeError("again"))
    assert (read_record(path).error, read_record(path).accuracy) == ("RuntimeError: again", {})


def test_a_run_that_fails_to_be_trained_anew_has_failed(config):
    path = write(config, cost={"parameters": 1})
    outdate(config)
    assert (read_record(path).status, read_record(path).accuracy) == ("failed", {"summary": {"mAP": 0.3}})
    record_failure(config, RuntimeError("broken data"))
    assert (read_record(path).error, read_record(path).accuracy) == ("RuntimeError: broken data", {})


def test_what_another_process_trains_is_left_to_it(config):
    path = write(config, cost={"parameters": 1})
    with lock_of(path.parent):
        outdate(config)
    assert read_record(path).status == "finished"
