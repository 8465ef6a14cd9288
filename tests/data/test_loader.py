from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import nn

from tradeoffs.data.coco import CocoDataset
from tradeoffs.data.loader import EpochBatches, make_loader
from tradeoffs.data.resize import Resize
from tradeoffs.data.samples import Samples
from tradeoffs.structures import Batch


def batches_of_epoch(epoch: int, **arguments) -> list[list[tuple[int, int]]]:
    batches = EpochBatches(**arguments)
    batches.set_epoch(epoch)
    assert len(list(batches)) == len(batches)
    return list(batches)


def joined(batches: Iterable[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return list(chain.from_iterable(batches))


def test_an_epoch_has_every_sample_once_in_an_order_of_its_own():
    first, second = (joined(batches_of_epoch(epoch, num_samples=12, batch_size=4, shuffle=True)) for epoch in (0, 1))
    assert sorted(first) == [(0, index) for index in range(12)]
    assert sorted(second) == [(1, index) for index in range(12)]
    assert [index for _, index in first] != [index for _, index in second]
    assert first == joined(batches_of_epoch(0, num_samples=12, batch_size=4, shuffle=True))
    assert first != joined(batches_of_epoch(0, num_samples=12, batch_size=4, shuffle=True, seed=1))


@pytest.mark.parametrize("world_size", [2, 3])
def test_processes_share_the_batches_that_one_would_see(world_size: int):
    alone = batches_of_epoch(3, num_samples=20, batch_size=6, shuffle=True)
    shares = [
        batches_of_epoch(3, num_samples=20, batch_size=6 // world_size, shuffle=True, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert [joined(parts) for parts in zip(*shares, strict=True)] == alone


@pytest.mark.parametrize(
    ("num_samples", "world_size", "sizes"), [(10, 1, [4, 4]), (3, 1, [3]), (5, 2, [2]), (1, 2, [1])]
)
def test_training_leaves_out_what_fills_no_batch_but_never_everything(num_samples, world_size, sizes):
    for rank in range(world_size):
        batches = batches_of_epoch(
            0, num_samples=num_samples, batch_size=4, shuffle=True, rank=rank, world_size=world_size
        )
        assert [len(batch) for batch in batches] == sizes


@pytest.mark.parametrize("num_samples", [5, 8, 9, 16, 17])
@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_validation_sees_every_sample_once_in_equally_many_batches(num_samples: int, world_size: int):
    shares = [
        batches_of_epoch(0, num_samples=num_samples, batch_size=2, shuffle=False, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert len({len(share) for share in shares}) == 1
    assert all(1 <= len(batch) <= 2 for share in shares for batch in share)
    assert sorted(index for share in shares for batch in share for _, index in batch) == list(range(num_samples))


def test_validation_repeats_a_sample_rather_than_leave_a_batch_empty():
    arguments = {"num_samples": 5, "batch_size": 1, "shuffle": False, "world_size": 3}
    shares = [batches_of_epoch(0, rank=rank, **arguments) for rank in range(3)]
    assert [[index for batch in share for _, index in batch] for share in shares] == [[0, 3], [1, 4], [2, 0]]


class MeanColour(pl.LightningModule):
    """Enough of a model for its weights to depend on the order of all samples."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(3, 1)
        self.seen: list[list[int]] = []

    def training_step(self, batch: Batch) -> torch.Tensor:
        self.seen += batch.addresses.tolist()
        return self.layer(batch.images.float().mean(dim=(2, 3)) / 255).square().mean()

    def validation_step(self, batch: Batch) -> None:
        assert batch.addresses[:, 1].eq(self.current_epoch).all()

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)
        schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class Interruption(Callback):
    """Saves a checkpoint after the given step and ends the run there, as a kill would."""

    def __init__(self, step: int, checkpoint: Path):
        self.step, self.checkpoint = step, checkpoint

    def on_train_batch_end(self, trainer: pl.Trainer, *_) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.checkpoint)
            raise KeyboardInterrupt


def fit(dataset: CocoDataset, workers: int, callbacks: tuple[Callback, ...] = (), resume: Path | None = None):
    samples = Samples(dataset, Resize("warp", 16), augmentation="ssd", seed=5)
    trainer = pl.Trainer(
        max_epochs=3,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    model = MeanColour()
    train, val = (
        make_loader(samples, EpochBatches(len(samples), 3, shuffle=shuffle, seed=5), workers)
        for shuffle in (True, False)
    )
    trainer.fit(model, train, val, ckpt_path=resume, weights_only=False)
    return model


@pytest.mark.parametrize(("step", "workers"), [(1, 0), (2, 0), (3, 0), (5, 0), (7, 0), (4, 2)])
def test_resuming_in_the_middle_of_an_epoch_changes_nothing(tiny_coco: CocoDataset, tmp_path: Path, step, workers):
    """11 images in batches of 3 are 3 steps an epoch, 9 in all."""
    whole = fit(tiny_coco, workers=0)
    assert len(whole.seen) == 3 * 9
    checkpoint = tmp_path / "step.ckpt"
    with pytest.raises(SystemExit):
        fit(tiny_coco, workers, (Interruption(step, checkpoint),))
    resumed = fit(tiny_coco, workers, resume=checkpoint)
    assert resumed.seen == whole.seen[3 * step :]
    assert all(map(torch.equal, resumed.state_dict().values(), whole.state_dict().values()))


def test_a_loader_goes_from_epoch_to_epoch_and_back_to_a_position(tiny_coco: CocoDataset):
    samples = Samples(tiny_coco, Resize("warp", 16), augmentation="ssd", seed=5)
    loader = make_loader(samples, EpochBatches(len(samples), 3, shuffle=True), workers=0)
    epochs = [[batch.addresses.tolist() for batch in loader] for _ in range(2)]
    assert {address[1] for batch in epochs[1] for address in batch} == {1}
    loader.load_state_dict({"epoch": 1, "taken": 2})
    assert loader.state_dict() == {"epoch": 1, "taken": 2}
    assert [batch.addresses.tolist() for batch in loader] == epochs[1][2:]
    loader.load_state_dict({"epoch": 0, "taken": 3})
    assert [batch.addresses.tolist() for batch in loader] == epochs[1]
