"""How far the runs of a sweep are, and how long they will take."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

from tradeoffs.sweeps import overview as module
from tradeoffs.sweeps.overview import Overview, next_steps
from tradeoffs.sweeps.plan import Job
from tradeoffs.sweeps.process import Outcome
from tradeoffs.sweeps.watch import Pace, expected, look_at, time_left

HEAD = "step,epoch,loss,val/mAP,planned_steps"


def job(folder: Path, model: str = "SSD", backbone: str = "mobilenet", size: int = 300, epochs: int = 4) -> Job:
    parts = {"model": {"_target_": model}, "backbone": {"_target_": backbone}, "image_size": size, "epochs": epochs}
    task = {"headline": "mAP"}
    parts |= {"measure": True}
    return Job((), OmegaConf.create({"task": task, **parts, "runs": str(folder.parent), "name": folder.name}))


def log(folder: Path, *rows: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "metrics.csv").write_text("\n".join([HEAD, *rows]))


def test_what_is_seen_of_a_run(tmp_path):
    run = job(tmp_path / "a")
    assert look_at(run) is None
    log(run.folder, "9,0,3.5,,80")
    assert str(look_at(run)) == "epoch 1/4 loss 3.5" and look_at(run).part == 1 / 8
    log(run.folder, "9,0,3.5,,80", "19,0,3.25,,80", "19,0,,0.125,", "29,1,2.5,,80", "39,1")
    assert str(look_at(run)) == "epoch 2/4 loss 2.5 mAP 0.125"
    assert look_at(run).part == pytest.approx(30 / 80)
    log(run.folder, "59,2,3.25,,80", "79,3,2.5,,80", "79,3,,0.5,")
    assert look_at(run).part == 1
    log(run.folder, "9,0,3.5,,")  # of an older version
    assert look_at(run).part is None


def test_a_pace_is_that_of_this_process(tmp_path):
    run = job(tmp_path / "a")
    log(run.folder, "19,0,3,,80", "39,1,3,,80")
    pace = Pace(run)
    assert pace.start == 0.5 and pace.whole is None
    log(run.folder, "39,1,3,,80", "59,2,3,,80")
    pace.look(seconds=10.0)
    assert (pace.whole, pace.left) == (40.0, 10.0)
    log(run.folder, "9,0,3,,80")  # as if it had begun anew
    pace.look(seconds=20.0)
    log(run.folder, "19,0,3,,80", "39,1,3,,80")
    pace.look(seconds=60.0)
    assert pace.left == pytest.approx(40 * (40 / 30))  # half is left, three eighths took 40 s


def test_a_run_takes_as_long_as_those_like_it(tmp_path):
    known = [(job(tmp_path / "a"), 100.0), (job(tmp_path / "b", "RCNN"), 900.0), (job(tmp_path / "c", "RCNN"), 1100.0)]
    assert expected(job(tmp_path / "d"), known) == 100
    assert expected(job(tmp_path / "d", "RCNN"), known) == 1000
    assert expected(job(tmp_path / "d", "RCNN", size=600, epochs=2), known) == 2000
    assert expected(job(tmp_path / "d", "RCNN", "resnet"), known) == 1000
    assert expected(job(tmp_path / "d", "FCOS"), known) == pytest.approx(700)
    assert expected(job(tmp_path / "d"), []) is None


@pytest.mark.parametrize(
    ("running", "waiting", "left"),
    [([10.0], [], 10.0), ([10.0], [5.0, 5.0], 20.0), ([10.0, 2.0], [5.0, 5.0], 12.0), ([0.0, 30.0], [5.0], 30.0)],
)
def test_those_that_wait_begin_when_others_end(running, waiting, left):
    assert time_left(running, waiting) == left


def test_the_line_says_how_far_each_is_and_learns_from_slow_ones(tmp_path, capsys, monkeypatch):
    """Two quick ones have ended in 10 s each; a slow one is half done after 100 s, and one like it is still to come."""
    now = iter(range(1000, 10_000, 100))
    monkeypatch.setattr(module.time, "monotonic", lambda: next(now))
    quick = [job(tmp_path / f"quick{number}") for number in range(3)]
    slow, slow_too = (job(tmp_path / name, "RCNN") for name in ("slow", "slow_too"))
    overview, jobs = Overview(5), [*quick, slow, slow_too]
    processes = [SimpleNamespace(job=each, seconds=10.0) for each in quick[:2]]
    running = SimpleNamespace(job=slow, seconds=0.0)
    overview.show(jobs, {}, [*processes, running])
    assert capsys.readouterr().out == ("0 of 5 jobs done, 3 running: quick0 begins; quick1 begins; slow begins\n")
    outcomes = {process.job.folder: Outcome("finished") for process in processes}
    for process in processes:
        overview.ended(process, outcomes[process.job.folder])
    capsys.readouterr()
    running.seconds = 100.0
    log(slow.folder, "19,0,3,,80", "39,1,2.5,,80", "39,1,,0.25,")
    overview.show(jobs, outcomes, [running])
    # 100 s for the other half, 10 s for a quick one, 200 s for another slow one
    assert capsys.readouterr().out == ("2 of 5 jobs done, 1 running, 05:10 left: slow epoch 2/4 loss 2.5 mAP 0.250\n")


def test_what_to_type_next_is_quoted(tmp_path):
    folder = tmp_path / "seed=1,2 (new)"
    assert list(next_steps(folder, 0, overwrite=False)) == []
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "result.json").touch()
    assert list(next_steps(folder, 2, overwrite=True)) == [
        "not finished: 2; the same command, without overwrite=true, goes on with the rest",
        f"compare them:  python -m tradeoffs.results '{folder}'",
        f"in a browser:  python dashboard.py 'runs={folder}'",
    ]
