"""A killed and resumed training equals an uninterrupted one, bit for bit."""

from __future__ import annotations

import csv
import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback

from tradeoffs.training.checkpoints import Checkpoints, Stopped
from tradeoffs.training.ema import WeightAverage

TIMING = "images_per_second"


class KillSelf(Callback):
    """Ends the process without any farewell, right after batch `batch` (counted over all epochs, from 1)."""

    def __init__(self, batch: int, number: int = signal.SIGKILL):
        self.batch = batch
        self.number = number

    def on_train_batch_end(self, trainer, *_) -> None:
        if trainer.fit_loop.total_batch_idx + 1 == self.batch:
            os.kill(os.getpid(), self.number)


def run(train, folder: Path, kill_at: int | None = None, number: int = signal.SIGKILL, **kwargs) -> None:
    callbacks = [WeightAverage(0.9), Checkpoints(folder / "checkpoints", "val/mAP", every_n_steps=1)]
    if kill_at is not None:
        callbacks.append(KillSelf(kill_at, number))
    train(folder, callbacks=callbacks, accumulate_grad_batches=2, **kwargs)


def exit_code(function, *args, **kwargs) -> int:
    """Of a process that runs the function."""
    process = multiprocessing.get_context("fork").Process(target=partial(function, *args, **kwargs))
    process.start()
    process.join(120)
    return process.exitcode


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != TIMING} for row in csv.DictReader(file)]


def weights(folder: Path, name: str = "last.ckpt") -> dict:
    return torch.load(folder / "checkpoints" / name, weights_only=True)


def assert_equal_runs(whole: Path, resumed: Path) -> None:
    assert rows(resumed) == rows(whole)
    for name in ("last.ckpt", "best.ckpt"):
        a, b = weights(whole, name), weights(resumed, name)
        for part in ("state_dict", "training_weights") if name == "last.ckpt" else ("state_dict",):
            assert a[part].keys() == b[part].keys()
            assert all(torch.equal(a[part][key], b[part][key]) for key in a[part])
        torch.testing.assert_close(a["optimizer_states"], b["optimizer_states"], rtol=0, atol=0)
        assert a["lr_schedulers"] == b["lr_schedulers"]
        assert a["callbacks"] == b["callbacks"]


# 3 epochs of 5 batches; 2 batches, and what is left at the end of an epoch, make a step.
# 3: amid an accumulation. 5, 10: at the end of an epoch, before its validation and its checkpoint.
# 6: after an epoch's checkpoint. 9: after a step amid an epoch.
@pytest.mark.parametrize("kill_at", [3, 5, 6, 9, 10, 13])
def test_resumed_after_a_kill_equals_uninterrupted(tmp_path, tiny_train, kill_at):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(tiny_train, whole)
    assert exit_code(run, tiny_train, killed, kill_at=kill_at) == -signal.SIGKILL
    run(tiny_train, killed, resume=True)
    assert_equal_runs(whole, killed)


@pytest.mark.parametrize("kill_at", [2, 3, 4, 5, 7])
def test_a_validation_within_an_epoch_is_neither_lost_nor_repeated(tmp_path, tiny_train, kill_at):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run(tiny_train, whole, val_check_interval=2)
    assert exit_code(run, tiny_train, killed, kill_at=kill_at, val_check_interval=2) == -signal.SIGKILL
    run(tiny_train, killed, resume=True, val_check_interval=2)
    assert_equal_runs(whole, killed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_step_saves_and_stops(tmp_path, tiny_train, number, capsys):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(tiny_train, whole)
    with pytest.raises(Stopped) as stop:
        run(tiny_train, stopped, kill_at=3, number=number)  # amid an accumulation: batch 4 is done as well
    assert stop.value.code == 128 + number
    assert f"Stopped by {number.name} after step 2; resume=auto goes on" in capsys.readouterr().err
    assert weights(stopped)["global_step"] == 2
    run(tiny_train, stopped, resume=True)
    assert_equal_runs(whole, stopped)


def test_a_signal_at_the_end_of_an_epoch_stops_after_its_validation(tmp_path, tiny_train):
    with pytest.raises(Stopped):
        run(tiny_train, tmp_path, kill_at=5, number=signal.SIGTERM)
    assert [row["val/mAP"] != "" for row in rows(tmp_path)] == [False, False, False, True]


def test_handlers_are_given_back(tmp_path, tiny_train):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run(tiny_train, tmp_path, max_epochs=1)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_finished_run_can_be_made_longer(tmp_path, tiny_train):
    run(tiny_train, tmp_path, max_epochs=1)
    run(tiny_train, tmp_path, max_epochs=2, resume=True)
    assert [row["epoch"] for row in rows(tmp_path) if row["val/mAP"]] == ["0", "1"]
