import csv

import pytest
from pytorch_lightning import LightningModule, Trainer

from tradeoffs.training import throughput
from tradeoffs.training.throughput import Throughput


def test_images_per_second_over_the_last_steps_without_validation(tmp_path, tiny_train, monkeypatch):
    """Steps of 4 images take 1, 2, 4, 8, 16 s, a validation 1000 s, then steps 1 s each."""
    clock = iter([0, 0, 1, 3, 7, 15, 31, 1031, 1031, 1032, 1033, 1034, 1035, 1036, 2036])
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(next(clock)))
    tiny_train(tmp_path, callbacks=[Throughput(window=2)], max_epochs=2)
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["loss"]]
    rates = [float(row["images_per_second"]) for row in rows]
    assert rates == pytest.approx([4, 8 / 3, 8 / 6, 8 / 12, 8 / 24, 8 / 17, 4, 4, 4, 4])
    # 10 steps, of which 2 warm up: thirds of 0.1
    assert [float(row["learning_rate"]) for row in rows[:3]] == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])


def test_seconds_add_up_over_sessions_from_checkpoint_to_checkpoint(monkeypatch):
    """A session of 5 s up to its checkpoint and 7 s more is killed; the next one takes 30 s."""
    parts = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False), LightningModule()
    clock = iter([100, 105, 112, 200, 230])
    monkeypatch.setattr(throughput.time, "monotonic", lambda: float(next(clock)))
    killed = Throughput()
    killed.on_train_start(*parts)
    saved = killed.state_dict()
    killed.state_dict()
    resumed = Throughput()
    resumed.load_state_dict(saved)
    assert resumed.seconds == 5
    resumed.on_train_start(*parts)
    resumed.on_train_end(*parts)
    assert (killed.seconds, resumed.seconds) == (12, 35)
