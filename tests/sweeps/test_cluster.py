"""Sweeps on a real SLURM of two nodes and on a real Ray, each on this machine."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import small_runs
from small_slurm import running_slurm, skip_without_slurm

from tradeoffs.results.record import read_record

TWO_PROCESSES = ("trainer=ddp", "trainer.accelerator=cpu")
PATIENCE = 600.0  # seconds; a process that starts imports for ten, or for minutes on a machine that has much to do


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which its commands find it."""
    skip_without_plugin("hydra-submitit-launcher")
    skip_without_slurm()
    with running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment | {"OMP_NUM_THREADS": "1"}


def skip_without_plugin(package: str) -> None:
    if find_spec(f"hydra_plugins.{package.replace('-', '_')}") is None:
        pytest.skip(f"{package} is not installed")


@pytest.fixture
def train(project: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts the train command; what it says goes into said.txt."""
    started = []

    def start(*words: str, env: dict[str, str] | None = None) -> subprocess.Popen:
        with (tmp_path / "said.txt").open("a") as said:
            command = [sys.executable, str(project / "train.py"), *words]
            started.append(subprocess.Popen(command, env=env, stdout=said, stderr=said, cwd=tmp_path))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def test_a_run_that_slurm_stops_twice_ends_as_if_undisturbed(slurm, train, photos, broken_photos, tmp_path):
    settings = (*TWO_PROCESSES, "epochs=60", "batch_size=12")
    sweep, alone = tmp_path / "runs/sweep", tmp_path / "runs/alone"
    assert train(*small_runs.words(photos, alone, *settings)).wait(PATIENCE) == 0

    words = small_runs.words(f"{photos},{broken_photos}", sweep, *settings)
    process = train("-m", "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", *words, env=slurm)
    log = sweep / ".submitit/1_0/1_0_0_log.out"
    wait_until(lambda: saved_at(sweep, photos), process, log)
    ask(slurm, "scancel", "--signal=USR2", "1_0")  # as SLURM does before the time is up
    wait_until(lambda: "Requeued job 1_0" in log.read_text(), process, log)
    before = saved_at(sweep, photos)
    wait_until(lambda: saved_at(sweep, photos) > before, process, log)
    ask(slurm, "sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
    assert process.wait(PATIENCE) == 1, log.read_text()

    assert "DUE TO PREEMPTION" in log.read_text()
    assert log.read_text().count("going on from") == 2
    whole, broken = (read_record(folder_of(sweep, data) / "result.json") for data in (photos, broken_photos))
    assert whole.training["processes"] == 2
    assert whole.accuracy == read_record(alone / "result.json").accuracy
    assert small_runs.curves(folder_of(sweep, photos))[-1] == small_runs.curves(alone)[-1]
    assert broken.status == "failed"
    assert "val.json" in broken.error
    table = (tmp_path / "said.txt").read_text().rpartition("ms, batch 1")[2]
    assert ("finished" in table, "failed" in table) == (True, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [broken_photos.name, "runs", "said.txt"]


def test_a_run_on_two_machines(slurm, train, photos, tmp_path):
    settings = (*TWO_PROCESSES, "trainer.num_nodes=2", "trainer.devices=1")
    words = small_runs.words(photos, tmp_path / "runs/sweep", *settings)
    process = train("-m", "hydra/launcher=slurm", "hydra.launcher.cpus_per_task=1", *words, env=slurm)
    assert process.wait(PATIENCE) == 0, (tmp_path / "said.txt").read_text()
    (result,) = tmp_path.glob("runs/sweep/*/result.json")
    assert read_record(result).training["processes"] == 2
    logs = sorted(tmp_path.glob("runs/sweep/.submitit/*/*_log.out"))
    assert ["node=0(2)" in logs[0].read_text(), "node=1(2)" in logs[1].read_text()] == [True, True]


def test_ray_runs_every_job_with_all_its_processes(train, photos, tmp_path):
    skip_without_plugin("hydra-ray-launcher")
    words = small_runs.words(photos, tmp_path / "runs/sweep", *TWO_PROCESSES)
    process = train("-m", "hydra/launcher=ray", *words, "seed=2,3", "backbone.frozen_stages=0,99")
    assert process.wait(PATIENCE) == 0, (tmp_path / "said.txt").read_text()
    records = [read_record(path) for path in sorted(tmp_path.glob("runs/sweep/*/result.json"))]
    assert [record.who.seed for record in records] == [2, 3]
    assert [record.training["processes"] for record in records] == [2, 2]
    assert (tmp_path / "said.txt").read_text().count("skipped: ") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "said.txt"]
    assert [path.name for path in tmp_path.glob("runs/*")] == ["sweep"]


def folder_of(sweep: Path, data: Path) -> Path:
    return next(sweep.glob(f"data.root={data.name},*"))


def saved_at(sweep: Path, data: Path) -> int:
    """When the last checkpoint was written; 0 before."""
    found = [path.stat().st_mtime_ns for path in sweep.glob(f"data.root={data.name},*/checkpoints/last.ckpt")]
    return max(found, default=0)


def wait_until(condition: Callable[[], object], process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


def ask(environment: dict[str, str], *command: str) -> None:
    subprocess.run(command, env=environment, check=True)
