"""Whose threshold counts where nobody says one."""

import shutil

import pytest
from dashboard_runs import write_run

from tradeoffs.results.record import read_record, write_record
from tradeoffs.runs.score_threshold import threshold_of
from tradeoffs.runs.weights import Weights

BEST = {"threshold": 0.4137, "f1": 0.8333, "precision": 0.9, "recall": 0.7758}


@pytest.fixture
def run(tmp_path):
    folder = write_run(tmp_path, "run")
    record = read_record(folder / "result.json")
    record.accuracy["best_f1"] = BEST
    write_record(folder / "result.json", record)
    (folder / "checkpoints").mkdir()
    for name in ("best.ckpt", "last.ckpt"):
        (folder / "checkpoints" / name).touch()
    return folder


def weights(path, ids=(3, 10)) -> Weights:
    return Weights(path, {}, [str(each) for each in ids], list(ids))


def test_that_of_the_run(run, tmp_path, monkeypatch):
    best = run / "checkpoints" / "best.ckpt"
    threshold = threshold_of("auto", run, weights(best))
    assert threshold.score == 0.4137
    assert str(threshold) == "a score of 0.414 or more (best F1 on validation, 0.83)"
    monkeypatch.chdir(tmp_path)  # a relative path is the same file; so are classes in another order
    assert threshold_of("auto", run, weights(best.relative_to(tmp_path), (10, 3))) == threshold


def test_what_is_said_of_whole_images_is_always_shown(run):
    """Their model has no threshold in its settings."""
    (run / "config.yaml").write_text("model: {_target_: some.Counter}")
    last, best = (run / "checkpoints" / f"{name}.ckpt" for name in ("last", "best"))
    assert threshold_of("auto", run, weights(last)).score == 0
    assert threshold_of("auto", run, weights(best)).score == 0.4137  # it was measured
    (run / "config.yaml").write_text("model: {_target_: some.SSD, score_threshold: 0.01}")
    assert threshold_of("auto", run, weights(last)).score == 0.3
    (run / "config.yaml").write_text("{model: {_target_: some.Hourglass}, task: {name: pose}}")
    assert threshold_of("auto", run, weights(last)).score == 0.2  # as joints are drawn elsewhere


def test_what_somebody_says_counts(run):
    assert str(threshold_of(0.25, run, weights(run / "checkpoints" / "best.ckpt"))) == "a score of 0.25 or more"


@pytest.mark.parametrize("why", ["other weights", "other classes", "no threshold", "no record", "a damaged record"])
def test_not_that_of_something_else(run, why):
    path = run / "checkpoints" / ("last.ckpt" if why == "other weights" else "best.ckpt")
    ids = (3, 11) if why == "other classes" else (3, 10)
    record = run / "result.json"
    if why == "no threshold":
        shutil.copy(write_run(run.parent, "old") / "result.json", record)
    elif why == "no record":
        record.unlink()
    elif why == "a damaged record":
        record.write_text("{")
    threshold = threshold_of("auto", run, weights(path, ids))
    assert str(threshold) == "a score of 0.3 or more (no better one was measured for these weights)"
