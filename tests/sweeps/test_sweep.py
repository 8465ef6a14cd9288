"""Whole sweeps on this machine, of runs that take a second or two."""

import os
import random
import shutil
import signal
import time
from contextlib import suppress
from multiprocessing import Process
from pathlib import Path

import pytest
import small_runs
from forked import start_sweep
from small_runs import SETTINGS

from tradeoffs.results.record import Record, read_record


def start(photos: Path, runs: Path, *words: str, own_server: bool = False) -> Process:
    """A sweep `sweep` below `runs`, in a process of its own."""
    given = (*SETTINGS, f"data.root={photos}", f"runs={runs}", "name=sweep", *words)
    return start_sweep(given, runs, own_server)


def ended(process: Process) -> int:
    process.join(200)
    if process.exitcode is None:
        process.kill()
        pytest.fail("the sweep hangs")
    return process.exitcode


def said(runs: Path) -> str:
    return (runs / "said.txt").read_text()


def folder(runs: Path, seed: int) -> Path:
    return runs / "sweep" / f"seed={seed}"


def record(runs: Path, seed: int) -> Record:
    return read_record(folder(runs, seed) / "result.json")


def without_times(record: Record) -> dict:
    training = {key: value for key, value in record.training.items() if key not in ("seconds", "images_per_second")}
    return {"who": record.who, "status": record.status, "accuracy": record.accuracy, "training": training}


@pytest.fixture(scope="module")
def finished(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `runs` of a sweep over two seeds that nothing disturbed. Tests must not change it."""
    runs = tmp_path_factory.mktemp("sweeps")
    assert ended(start(photos, runs, "seed=2,3", own_server=True)) == 0
    return runs


def test_each_job_is_a_run_with_its_record_and_its_log(finished):
    assert sorted(path.name for path in (finished / "sweep").iterdir() if path.name[0] != ".") == [
        folder(finished, 2).name,
        folder(finished, 3).name,
    ]
    for seed in (2, 3):
        assert record(finished, seed).status == "finished"
        assert (folder(finished, seed) / "checkpoints/best.ckpt").is_file()
        assert "holds" in (folder(finished, seed) / "log.txt").read_text()
    assert record(finished, 2).accuracy != record(finished, 3).accuracy


def test_it_says_how_far_it_is_and_ends_with_a_table(finished):
    text = said(finished)
    assert "0 of 2 jobs done, 1 running" in text
    assert sum(line.startswith("seed=") and ": mAP 0." in line for line in text.splitlines()) == 2
    table = text[text.index("ms, batch 1") :]
    assert table.count("finished") == 2
    compare, browse = text.splitlines()[-2:]
    assert compare.endswith(f"python -m tradeoffs.results {finished / 'sweep'}")
    assert browse.endswith(f"python dashboard.py runs={finished / 'sweep'}")


def test_a_run_of_a_sweep_equals_a_single_one(finished, photos, tmp_path):
    small_runs.run(photos, tmp_path / "single", "seed=2")
    single, swept = (
        without_times(each) for each in (read_record(tmp_path / "single/result.json"), record(finished, 2))
    )
    assert single.pop("who").config_hash == swept.pop("who").config_hash
    assert single == swept


def test_started_again_it_skips_what_is_finished_and_goes_on_with_the_rest(finished, photos, tmp_path):
    runs = tmp_path / "sweeps"
    shutil.copytree(finished, runs)
    old = record(runs, 2)
    (folder(runs, 3) / "result.json").unlink()
    assert ended(start(photos, runs, "seed=2,3,4")) == 0
    text = said(runs)[len(said(finished)) :]
    assert "finished already: 1 of 3 runs" in text
    assert "going on from" in (folder(runs, 3) / "log.txt").read_text()
    assert record(runs, 2) == old
    assert without_times(record(runs, 3)) == without_times(record(finished, 3))
    assert record(runs, 4).status == "finished"


def test_settings_of_hydra_may_be_given(finished, photos, tmp_path):
    runs = tmp_path / "sweeps"
    shutil.copytree(finished, runs)
    assert ended(start(photos, runs, "seed=2,3", "hydra.job.chdir=false")) == 0
    assert "finished already: 2 of 2 runs" in said(runs)


def test_a_failed_job_is_recorded_and_tried_again(photos, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(photos, data)
    annotations = data / "annotations/val.json"
    whole = annotations.read_text()
    annotations.write_text("{")
    assert ended(start(data, tmp_path, "seed=2,3")) == 1
    assert record(tmp_path, 3).status == "failed"
    assert "val.json" in record(tmp_path, 3).error
    assert "val.json" in (folder(tmp_path, 3) / "log.txt").read_text()
    assert said(tmp_path).count("failed: ") == 4  # as each ended, and in the table
    annotations.write_text(whole)
    assert ended(start(data, tmp_path, "seed=2,3")) == 0
    assert (record(tmp_path, 3).status, record(tmp_path, 3).error) == ("finished", None)


def test_a_killed_job_is_recorded_and_the_others_go_on(photos, tmp_path):
    sweep = start(photos, tmp_path, "seed=2,3", "epochs=15")
    kill_job(tmp_path, seed=2)
    assert ended(sweep) == 1
    assert record(tmp_path, 2).error.startswith("killed by SIGKILL")
    assert record(tmp_path, 3).status == "finished"
    assert nothing_runs(tmp_path)


def test_parts_that_do_not_fit_are_left_out_without_a_record(photos, tmp_path):
    # Only the built backbone knows how many stages it has.
    assert ended(start(photos, tmp_path, "backbone.frozen_stages=0,99")) == 0
    assert "skipped: backbone.frozen_stages=99; this backbone has" in said(tmp_path)
    assert [path.name for path in (tmp_path / "sweep").glob("b*")] == ["backbone.frozen_stages=0"]


def test_an_axis_without_values_is_said(photos, tmp_path):
    assert ended(start(photos, tmp_path / "runs", "seed=range(1,0)")) == 2
    assert "this sweep has no runs: one of its axes has no value" in said(tmp_path / "runs")


def test_a_folder_with_other_settings_is_left_alone(finished, photos, tmp_path):
    runs = tmp_path / "sweeps"
    shutil.copytree(finished, runs)
    (folder(runs, 2) / "result.json").unlink()
    settings = (folder(runs, 2) / "config.yaml").read_text()
    for _ in range(2):
        assert ended(start(photos, runs, "seed=2,3", "optimizer.lr=0.02")) == 1
    assert (folder(runs, 2) / "config.yaml").read_text() == settings
    assert not (folder(runs, 2) / "result.json").exists()
    assert without_times(record(runs, 3)) == without_times(record(finished, 3))


def test_overwrite_trains_anew(finished, photos, tmp_path):
    runs = tmp_path / "sweeps"
    shutil.copytree(finished, runs)
    assert ended(start(photos, runs, "seed=2,3", "overwrite=true")) == 0
    assert (folder(runs, 2) / "log.txt").read_text().count("epoch 2/2") == 2


def test_two_sweeps_on_one_folder_share_the_work(finished, photos, tmp_path):
    sweeps = [start(photos, tmp_path, "seed=2,3") for _ in range(2)]
    assert [ended(sweep) for sweep in sweeps] == [0, 0]
    for seed in (2, 3):
        assert without_times(record(tmp_path, seed)) == without_times(record(finished, seed))
        assert (folder(tmp_path, seed) / "log.txt").read_text().count("epoch 2/2") == 1


def test_another_launcher_leaves_out_the_same_jobs(photos, tmp_path):
    assert ended(start(photos, tmp_path, "hydra/launcher=basic", "backbone.frozen_stages=0,99")) == 0
    assert said(tmp_path).count("skipped: ") == 1
    assert [path.name for path in (tmp_path / "sweep").glob("b*")] == ["backbone.frozen_stages=0"]


def test_several_jobs_at_once(finished, photos, tmp_path):
    assert ended(start(photos, tmp_path, "seed=2,3", "jobs=2")) == 0
    assert "0 of 2 jobs done, 2 running" in said(tmp_path)
    for seed in (2, 3):
        assert without_times(record(tmp_path, seed)) == without_times(record(finished, seed))


def test_runs_of_several_processes(photos, tmp_path):
    assert ended(start(photos, tmp_path, "seed=2,3", "trainer=ddp", "trainer.accelerator=cpu")) == 0
    assert [record(tmp_path, seed).training["processes"] for seed in (2, 3)] == [2, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["said.txt", "sweep"]
    assert len(list((tmp_path / "sweep").glob("*/config.yaml"))) == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_all_jobs_at_a_checkpoint(photos, tmp_path, number, code):
    sweep = start(photos, tmp_path, "seed=2,3", "epochs=500")
    wait_for_training(tmp_path, seed=2)
    os.kill(sweep.pid, number)
    assert ended(sweep) == code
    assert (folder(tmp_path, 2) / "checkpoints/last.ckpt").is_file()
    assert not (folder(tmp_path, 2) / "result.json").exists()
    assert nothing_runs(tmp_path)


def test_killed_at_any_moment_it_ends_with_the_same_records(finished, photos, tmp_path):
    chance = random.Random(int(os.environ.get("TRADEOFFS_SEED", "1")))
    for kill in range(10):
        sweep = start(photos, tmp_path, "seed=2,3", "checkpoint_minutes=0.001")
        if kill > 3 and kill % 2:
            wait_for_training(tmp_path, seed=2)
        sweep.join(chance.uniform(0.2, 4.0))
        victims = processes_of(tmp_path) if kill % 2 else [sweep.pid]  # the whole tree, or the sweep alone
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        sweep.join()
    assert ended(start(photos, tmp_path, "seed=2,3")) == 0
    for seed in (2, 3):
        assert without_times(record(tmp_path, seed)) == without_times(record(finished, seed))


def processes_of(runs: Path) -> list[int]:
    """Of the sweep and its jobs: those that have a file below `runs` open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str((process / "fd/1").readlink()).startswith(f"{runs}/"):
                found.append(int(process.name))
    return found


def nothing_runs(runs: Path) -> bool:
    """Within some moments: Python's own helpers end after what they helped."""
    until = time.monotonic() + 60
    while processes_of(runs) and time.monotonic() < until:
        time.sleep(0.1)
    return not processes_of(runs)


def wait_for_training(runs: Path, seed: int) -> None:
    until = time.monotonic() + 100
    while not list((folder(runs, seed) / "checkpoints").glob("last.ckpt")):
        assert time.monotonic() < until, said(runs)
        time.sleep(0.05)


def kill_job(runs: Path, seed: int) -> None:
    wait_for_training(runs, seed)
    for process in processes_of(folder(runs, seed)):
        os.kill(process, signal.SIGKILL)
