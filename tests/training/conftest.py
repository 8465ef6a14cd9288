"""A task and data small enough to train in a second, with everything that makes resuming hard."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pytorch_lightning import LightningDataModule, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from tradeoffs.data.loader import EpochBatches, ResumableLoader
from tradeoffs.structures import Batch, Detections, Targets
from tradeoffs.tasks.detection import draw_detections
from tradeoffs.training.checkpoint_files import SafeCheckpointIO, find_checkpoint
from tradeoffs.training.metrics_csv import MetricsCSV
from tradeoffs.training.schedule import parameter_groups, warmup_cosine

SIZE = 8


class TinyImages(Dataset):
    """Noise that depends on (epoch, index), with one box each."""

    def __init__(self, length: int):
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, address: tuple[int, int]) -> tuple[int, int, Tensor]:
        epoch, index = address
        generator = torch.Generator().manual_seed(1000 * epoch + index)
        return epoch, index, torch.randint(0, 256, (3, SIZE, SIZE), generator=generator, dtype=torch.uint8)


def collate(samples: list[tuple[int, int, Tensor]]) -> Batch:
    count = len(samples)
    boxes = torch.tensor([1.0, 1.0, 5.0, 6.0]).expand(count, 1, 4).clone()
    labels = torch.tensor([[index % 2] for _, index, _ in samples])
    return Batch(
        images=torch.stack([image for *_, image in samples]),
        targets=Targets(boxes, labels, torch.ones(count, 1, dtype=torch.bool)),
        geometry=torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(count, 4).clone(),
        original_sizes=torch.full((count, 2), SIZE),
        image_ids=torch.tensor([100 + index for _, index, _ in samples]),
        addresses=torch.tensor([[0, epoch, index] for epoch, index, _ in samples]),
    )


class TinyData(LightningDataModule):
    class_names = ("circle", "square")

    def train_dataloader(self) -> DataLoader:
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = EpochBatches(20, 4 // world_size, shuffle=True, rank=rank, world_size=world_size)
        return ResumableLoader(TinyImages(20), batch_sampler=batches, collate_fn=collate)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(TinyImages(4), batch_sampler=EpochBatches(4, 2, shuffle=False), collate_fn=collate)


class TinyTask(LightningModule):
    """Batch norm and dropout; the optimizer has momentum, the learning rate a warm-up and a cosine."""

    def __init__(self, break_at: tuple[int, ...] = ()):
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 2)
        )
        self.break_at = break_at  # image ids that make the loss NaN

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        logits = self.network(batch.images.float() / 255)
        broken = torch.isin(batch.image_ids, torch.tensor(self.break_at)).any()
        classes = nn.functional.cross_entropy(logits, batch.targets.labels[:, 0])
        return {"classes": classes, "boxes": logits.square().mean() * torch.where(broken, torch.nan, 1.0)}

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        torch.manual_seed(self.trainer.fit_loop.total_batch_idx)
        losses = self._losses(batch)
        loss = sum(losses.values())
        self.log_dict({"loss": loss, **{f"loss/{name}": value for name, value in losses.items()}})
        return loss

    def on_validation_epoch_start(self) -> None:
        self.val_losses: list[Tensor] = []

    def validation_step(self, batch: Batch, batch_idx: int) -> dict:
        self.val_losses.append(sum(self._losses(batch).values()))
        targets = batch.targets
        found = Detections(targets.boxes, torch.full((len(batch), 1), 0.9), targets.labels, targets.valid)
        return {"batch": batch, "predictions": found}

    def draw(self, kept: list, side: int) -> tuple[list[Tensor], str]:
        self.drawn = [picture for each in kept for picture in draw_detections(*each, ["a", "b"], 0.3, side)]
        return self.drawn, "all"

    def on_validation_epoch_end(self) -> None:
        self.log("val/mAP", torch.exp(-torch.stack(self.val_losses).mean()))

    def configure_optimizers(self) -> dict:
        optimizer = torch.optim.SGD(parameter_groups(self.network, lr=0.1, weight_decay=1e-2), momentum=0.9)
        schedule = warmup_cosine(optimizer, int(self.trainer.estimated_stepping_batches), warmup=0.2)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def train(folder: Path, task: TinyTask | None = None, resume: bool = False, callbacks=(), **kwargs) -> TinyTask:
    """Trains as `train.py` does, with `callbacks`; returns the task."""
    checkpoint = find_checkpoint(folder / "checkpoints") if resume else None
    settings = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 3,
        "default_root_dir": folder,
        "log_every_n_steps": 1,
        "enable_progress_bar": any("Progress" in type(callback).__name__ for callback in callbacks),
        "enable_model_summary": False,
        "enable_checkpointing": any("Checkpoints" in type(callback).__name__ for callback in callbacks),
        "num_sanity_val_steps": 0,
        "logger": [MetricsCSV(folder, resume=resume)],
    }
    trainer = Trainer(**settings | kwargs, callbacks=list(callbacks), plugins=[SafeCheckpointIO()])
    task = task or TinyTask()
    trainer.fit(task, TinyData(), ckpt_path=checkpoint)
    return task


@pytest.fixture(autouse=True)
def one_thread():
    """Processes are forked here, which do not take along the threads of OpenMP that are at work in this one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def tiny_train():
    return train


@pytest.fixture
def tiny_task() -> type[TinyTask]:
    return TinyTask
