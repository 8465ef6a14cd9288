from unittest.mock import Mock

import pytest
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import nn

from tradeoffs.training.checkpoints import Checkpoints
from tradeoffs.training.ema import WeightAverage, decay_at


def trainer_at(step: int) -> Trainer:
    return Mock(spec=Trainer, global_step=step)


def task_with(*layers: nn.Module) -> LightningModule:
    task = LightningModule()
    task.layers = nn.ModuleList(layers)
    return task


def test_decay_warms_up():
    assert [decay_at(step, 0.5) for step in (1, 2, 8, 100)] == [2 / 11, 3 / 12, 0.5, 0.5]


def test_average_by_hand():
    module = nn.BatchNorm1d(1)  # weight, bias, running mean, running variance, number of batches
    task = task_with(module)
    average = WeightAverage(decay=0.9)
    average.on_fit_start(trainer_at(0), task)
    average.on_train_start(trainer_at(0), task)
    with torch.no_grad():
        module.weight.fill_(12.0)  # was 1
        module.running_mean.fill_(11.0)  # was 0
        module.num_batches_tracked.fill_(7)  # was 0
    average.on_train_batch_end(trainer_at(0), task)  # accumulating: nothing happens
    average.on_train_batch_end(trainer_at(1), task)  # keeps 2/11 of the old one

    average.on_validation_start(trainer_at(1), task)
    assert module.weight.item() == pytest.approx(2 / 11 * 1 + 9 / 11 * 12)
    assert module.running_mean.item() == pytest.approx(9)
    assert module.num_batches_tracked.item() == 7
    average.on_validation_end(trainer_at(1), task)
    assert module.weight.item() == 12.0


def test_shared_weights_are_averaged_once():
    module, other = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    other.weight = module.weight
    task = task_with(module, other)
    average = WeightAverage()
    average.on_fit_start(trainer_at(0), task)
    average.on_train_start(trainer_at(0), task)
    before = module.weight.detach().clone()
    with torch.no_grad():
        module.weight.add_(11.0)
    average.on_train_batch_end(trainer_at(1), task)
    checkpoint = {"state_dict": task.state_dict()}
    average.on_save_checkpoint(trainer_at(1), task, checkpoint)
    for name in ("layers.0.weight", "layers.1.weight"):
        torch.testing.assert_close(checkpoint["state_dict"][name], before + 9)
        torch.testing.assert_close(checkpoint["training_weights"][name], before + 11)


def test_a_validation_that_fails_gives_the_training_weights_back():
    module = nn.Linear(1, 1)
    task = task_with(module)
    average = WeightAverage()
    average.on_fit_start(trainer_at(0), task)
    with torch.no_grad():
        module.weight.fill_(5.0)
    average.on_validation_start(trainer_at(0), task)
    average.on_exception(trainer_at(0), task, KeyboardInterrupt())
    assert module.weight.item() == 5.0


class Record(Callback):
    """The weights that validation sees, and those that training ends with."""

    def on_validation_batch_end(self, trainer, task, *_):
        self.seen = {name: value.clone() for name, value in task.state_dict().items()}


def test_validation_best_and_the_end_have_the_average(tmp_path, tiny_train):
    record = Record()
    task = tiny_train(
        tmp_path, callbacks=[WeightAverage(0.9), record, Checkpoints(tmp_path / "checkpoints", "val/mAP")], max_epochs=1
    )
    best = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)
    for name, value in task.state_dict().items():
        assert torch.equal(best["state_dict"][name], record.seen[name])
        assert torch.equal(best["state_dict"][name], value)
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert not torch.equal(last["training_weights"]["network.0.weight"], best["state_dict"]["network.0.weight"])


def test_the_model_is_the_average_even_if_nothing_was_left_to_train(tmp_path, tiny_train):
    for resume in (False, True):
        callbacks = [WeightAverage(0.9), Checkpoints(tmp_path / "checkpoints", "val/mAP")]
        task = tiny_train(tmp_path, callbacks=callbacks, max_epochs=1, resume=resume)
        last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
        assert all(torch.equal(last["state_dict"][name], value) for name, value in task.state_dict().items())


def test_goes_on_from_a_checkpoint_without_average(tmp_path, tiny_train):
    tiny_train(tmp_path, callbacks=[Checkpoints(tmp_path / "checkpoints", "val/mAP")], max_epochs=1)
    tiny_train(
        tmp_path,
        callbacks=[WeightAverage(), Checkpoints(tmp_path / "checkpoints", "val/mAP")],
        max_epochs=2,
        resume=True,
    )
    assert "training_weights" in torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
