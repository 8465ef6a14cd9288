"""Devices that a machine does not have."""

import pytest
import torch
from omegaconf import OmegaConf

from tradeoffs.commands import trainer
from tradeoffs.commands.trainer import build_trainer, require_devices
from tradeoffs.errors import UserError


@pytest.fixture
def machine(monkeypatch):
    def make(gpus: int, cores: int = 4) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
        monkeypatch.setattr(trainer, "mps_is_there", lambda: False)
        monkeypatch.setattr(trainer, "cores_here", lambda: cores)

    return make


@pytest.mark.parametrize(
    ("gpus", "accelerator", "devices", "line"),
    [
        (0, "cuda", 1, "trainer.accelerator=cuda, but there is no such GPU here; give auto or cpu"),
        (0, "gpu", 1, "trainer.accelerator=gpu, but there is no such GPU here; give auto or cpu"),
        (0, "auto", 8, "trainer.devices=8, but without GPUs there are 4 cores; give 4 or less"),
        (0, "auto", -1, "trainer.devices=-1 means all GPUs, and the run is on the CPU; give a number of processes"),
        (1, "cpu", -1, "trainer.devices=-1 means all GPUs, and the run is on the CPU; give a number of processes"),
        (1, "cpu", 5, "trainer.devices=5, but without GPUs there are 4 cores; give 4 or less"),
        (2, "auto", 3, "trainer.devices=3, but the GPUs here are 2; give 2 or less"),
    ],
)
def test_a_lack_of_devices_is_one_line(machine, gpus, accelerator, devices, line):
    machine(gpus)
    with pytest.raises(UserError) as caught:
        require_devices(accelerator, devices)
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("gpus", "accelerator", "devices"), [(0, "cpu", 4), (0, "auto", "auto"), (8, "cuda", 8), (1, "gpu", -1)]
)
def test_what_is_there_can_be_used(machine, gpus, accelerator, devices):
    machine(gpus)
    require_devices(accelerator, devices)


def test_two_processes_are_let_through_anywhere(machine):
    machine(gpus=0, cores=1)
    require_devices("cpu", 2)


def test_what_lightning_refuses_is_one_line(machine, tmp_path):
    machine(gpus=0)
    settings = {"_target_": "pytorch_lightning.Trainer", "accelerator": "tpu", "devices": 1}
    with pytest.raises(UserError, match=r"^trainer cannot be set up so: .*(TPU|torch_xla)"):
        build_trainer(OmegaConf.create({"trainer": settings, "epochs": 1}), tmp_path, [], [])
