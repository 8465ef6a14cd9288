import os
import signal

import pytest
import torch
from pytorch_lightning import Callback

from tradeoffs.training import checkpoints
from tradeoffs.training.checkpoints import Checkpoints
from tradeoffs.training.ema import WeightAverage


class Score(Callback):
    """Lets the validations have these scores."""

    def __init__(self, *scores: float):
        self.scores = list(scores)

    def on_validation_epoch_end(self, trainer, task) -> None:
        task.log("score", self.scores.pop(0))


def load(folder, name: str) -> dict:
    return torch.load(folder / f"{name}.ckpt", weights_only=True)


def test_best_is_the_highest_score_and_last_the_last(tmp_path, tiny_train):
    tiny_train(tmp_path, callbacks=[Score(0.2, 0.5, 0.4), Checkpoints(tmp_path / "c", monitor="score")])
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["best.ckpt", "last-previous.ckpt", "last.ckpt"]
    steps = [load(tmp_path / "c", name)["global_step"] for name in ("best", "last", "last-previous")]
    assert steps == [10, 15, 10]


def test_the_best_score_survives_resuming(tmp_path, tiny_train):
    def run(*scores: float, **kwargs) -> None:
        callbacks = [Score(*scores), Checkpoints(tmp_path / "checkpoints", monitor="score")]
        tiny_train(tmp_path, callbacks=callbacks, **kwargs)

    run(0.5, max_epochs=1)
    run(0.4, max_epochs=2, resume=True)
    assert load(tmp_path / "checkpoints", "best")["epoch"] == 0


def test_a_score_that_is_not_a_number_is_never_best(tmp_path, tiny_train):
    tiny_train(tmp_path, callbacks=[Score(float("nan"), 0.1, float("nan")), Checkpoints(tmp_path / "c", "score")])
    assert load(tmp_path / "c", "best")["global_step"] == 10


def test_validation_before_training_makes_no_best(tmp_path, tiny_train):
    tiny_train(tmp_path, callbacks=[Checkpoints(tmp_path / "c", "none")], max_epochs=1, num_sanity_val_steps=1)
    assert not (tmp_path / "c" / "best.ckpt").exists()


@pytest.mark.parametrize(("minutes", "written"), [(1.0, [3, 5]), (None, [5])])
def test_last_is_written_by_the_clock(tmp_path, tiny_train, monkeypatch, minutes, written):
    """The clock is asked once at the start and once after each step that is not an epoch's last."""
    seconds = iter([0.0, 20.0, 40.0, 60.0, 60.0, 90.0, 100.0, 100.0])
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(seconds))
    steps = []
    monkeypatch.setattr(
        "pytorch_lightning.Trainer.save_checkpoint",
        lambda trainer, path, weights_only: steps.append(trainer.global_step) if path.name == "last.ckpt" else None,
    )
    tiny_train(tmp_path, callbacks=[Checkpoints(tmp_path, "val/mAP", every_n_minutes=minutes)], max_epochs=1)
    assert steps == written


class SignalRankOne(Callback):
    def on_train_batch_end(self, trainer, *_) -> None:
        if trainer.global_rank == 1 and trainer.global_step == 2:
            os.kill(os.getpid(), signal.SIGTERM)


def test_processes_stop_together_and_only_the_first_writes(tmp_path, tiny_train, monkeypatch):
    monkeypatch.setattr(checkpoints, "STEPS_BETWEEN_TALKS", 3)
    callbacks = [SignalRankOne(), WeightAverage(), Checkpoints(tmp_path, "val/mAP")]
    with pytest.raises(Exception, match="exit code 143"):
        tiny_train(
            tmp_path, callbacks=callbacks, strategy="ddp_fork", devices=2, use_distributed_sampler=False, max_epochs=2
        )
    assert load(tmp_path, "last")["global_step"] == 3
