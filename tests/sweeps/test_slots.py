"""How GPUs and cores are shared out among the jobs of a sweep."""

import os

import pytest
from omegaconf import OmegaConf

from tradeoffs.errors import UserError
from tradeoffs.sweeps import slots
from tradeoffs.sweeps.plan import Job
from tradeoffs.sweeps.slots import Slot, divide


def jobs(*devices: int | str, accelerator: str = "auto") -> list[Job]:
    return [Job((), OmegaConf.create({"trainer": {"devices": n, "accelerator": accelerator}})) for n in devices]


@pytest.fixture
def machine(monkeypatch):
    def have(cores: int, gpus: list[str]) -> None:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
        monkeypatch.setattr(slots, "visible_gpus", lambda: gpus)

    return have


def test_each_job_has_a_gpu_of_its_own(machine):
    machine(8, ["2", "3"])
    assert divide(jobs(1, 1, 1), "auto") == [Slot((0, 2, 4, 6), ("2",)), Slot((1, 3, 5, 7), ("3",))]


def test_jobs_with_several_gpus(machine):
    machine(4, ["0", "1", "2", "3"])
    assert [each.gpus for each in divide(jobs(1, 2), "auto")] == [("0", "1"), ("2", "3")]
    assert divide(jobs(-1), "auto") == [Slot()]  # it takes them all


def test_on_a_cpu_one_at_a_time_unless_told_otherwise(machine):
    machine(4, [])
    assert divide(jobs(1, 1), "auto") == [Slot()]
    assert divide(jobs(1, 1), 2) == [Slot((0, 2)), Slot((1, 3))]


def test_jobs_for_the_cpu_leave_gpus_alone(machine):
    machine(2, ["0"])
    assert divide(jobs(1, accelerator="cpu"), 2) == [Slot((0,)), Slot((1,))]


@pytest.mark.parametrize(
    ("gpus", "devices", "line"),
    [
        (["0", "1"], 1, "jobs=3 at once is impossible: here are 2 GPUs for jobs with 1 each; give 2 or less"),
        (["0", "1"], 2, "jobs=3 at once is impossible: here are 2 GPUs for jobs with 2 each; give 1 or less"),
        ([], 1, "jobs=3 at once is impossible: here are 2 cores; give 2 or less"),
    ],
)
def test_more_than_there_is(machine, gpus, devices, line):
    machine(2, gpus)
    with pytest.raises(UserError, match=line):
        divide(jobs(devices), 3)
