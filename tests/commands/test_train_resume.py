"""A run that was killed goes on by the same command, to the same numbers as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from killed_runs import run_until_killed
from small_runs import checkpoint, curves, run

from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record

# 6 batches an epoch; colours and geometry are changed at random and weights averaged, as by default.
SETTINGS = ("batch_size=2", "checkpoint_minutes=1e-9", "keep_last=true")


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(photos, folder, *SETTINGS)
    return folder


def assert_equal_runs(folder: Path, whole: Path) -> None:
    assert curves(folder) == curves(whole)
    for name in ("last.ckpt", "best.ckpt"):
        found, expected = checkpoint(folder, name), checkpoint(whole, name)
        for part in ("state_dict", "training_weights", "optimizer_states"):
            torch.testing.assert_close(found.get(part), expected.get(part), rtol=0, atol=0)
        assert found["lr_schedulers"] == expected["lr_schedulers"]
    assert (folder / "predictions.json").read_bytes() == (whole / "predictions.json").read_bytes()
    found, expected = read_record(folder / "result.json"), read_record(whole / "result.json")
    assert (found.accuracy, found.training["steps"]) == (expected.accuracy, expected.training["steps"])


# 1: before there is a checkpoint. 4, 8, 11: amid an epoch. 6: before the first validation.
@pytest.mark.parametrize("batch", [1, 4, 6, 8, 11])
def test_killed_and_started_again_equals_uninterrupted(photos: Path, whole: Path, tmp_path: Path, batch: int, capsys):
    folder = tmp_path / "killed"
    run_until_killed(photos, folder, batch, *SETTINGS)
    if batch > 1:
        # The kill came before the checkpoint of its own batch, and the end of an epoch has it only after validation.
        assert checkpoint(folder, "last.ckpt")["global_step"] == batch - 1
    run(photos, folder, *SETTINGS)
    assert ("going on from" in capsys.readouterr().out) == (batch > 1)
    assert_equal_runs(folder, whole)


def test_killed_twice_while_gradients_accumulate(photos: Path, tmp_path: Path):
    settings = (*SETTINGS, "trainer.accumulate_grad_batches=2")
    run(photos, tmp_path / "whole", *settings)
    folder = tmp_path / "killed"
    run_until_killed(photos, folder, 5, *settings)
    run_until_killed(photos, folder, 10, *settings)
    run(photos, folder, *settings)
    assert_equal_runs(folder, tmp_path / "whole")


def test_a_cut_off_checkpoint_is_said_and_the_one_before_it_taken(
    photos: Path, whole: Path, tmp_path: Path, capsys, caplog
):
    folder = tmp_path / "killed"
    run_until_killed(photos, folder, 9, *SETTINGS)
    last, previous = (folder / "checkpoints" / name for name in ("last.ckpt", "last-previous.ckpt"))
    last.write_bytes(last.read_bytes()[:1_000_000])
    run(photos, folder, *SETTINGS)
    assert caplog.messages == [f"{last} is cut off or damaged; going on from {previous}"]
    assert f"going on from {previous}" in capsys.readouterr().out
    assert_equal_runs(folder, whole)


def test_a_run_whose_checkpoints_are_all_damaged_is_left_alone(photos: Path, tmp_path: Path):
    folder = tmp_path / "killed"
    run_until_killed(photos, folder, 9, *SETTINGS)
    damaged = [folder / "checkpoints" / name for name in ("last.ckpt", "last-previous.ckpt")]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:1_000_000])
    with pytest.raises(UserError, match=r"last\.ckpt and last-previous\.ckpt in .* cannot be read; delete or move"):
        run(photos, folder, *SETTINGS)
    assert all(path.stat().st_size == 1_000_000 for path in damaged)


def test_a_checkpoint_can_be_named(photos: Path, whole: Path, tmp_path: Path):
    """With `resume=PATH` a new run goes on where another one was; its curves begin there."""
    folder = tmp_path / "second"
    start = whole / "checkpoints" / "last-previous.ckpt"
    run(photos, folder, *SETTINGS, f"resume={start}")
    last_step = checkpoint(whole, "last-previous.ckpt")["global_step"]
    assert 0 < last_step < 12
    assert curves(folder) == [row for row in curves(whole) if int(row["step"]) >= last_step]
