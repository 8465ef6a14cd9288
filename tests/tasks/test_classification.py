"""The classification task with a model whose answers are known, on drawn data without a Trainer's help."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Trainer
from small_runs import write_data
from torch import Tensor, nn

from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.sources import coco_folder
from tradeoffs.structures import Labels, Targets
from tradeoffs.tasks.classification import ClassificationTask
from tradeoffs.training.schedule import constant


class Oracle(nn.Module):
    """Knows the label that the targets last said; all of its layers are heads."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen: list[tuple[Tensor, Targets]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.images = images
        return self.weight

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        self.seen.append((images.clone(), targets))
        return self.criterion(self(images), targets)

    def criterion(self, output: Tensor, targets: Targets) -> dict[str, Tensor]:
        self.targets = targets
        return {"classification": output.sum()}

    def postprocess(self, output: Tensor, image_size: tuple[int, int]) -> Labels:
        label = self.targets.label
        return Labels(torch.stack([label, 1 - label], dim=1), torch.tensor([[0.9, 0.1]]).expand(len(label), 2))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def make_data(root: Path) -> CocoDataModule:
    settings = {"image_size": 32, "batch_size": 4, "workers": 0, "augmentation": "crop", "photometric": False}
    data = CocoDataModule("tiny", partial(coco_folder, root=root), annotations=("label",), **settings)
    data.setup()
    return data


def trainer(folder: Path, **options) -> Trainer:
    quiet = dict.fromkeys(("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing"), False)
    return Trainer(accelerator="cpu", default_root_dir=folder, num_sanity_val_steps=0, **quiet, **options)


def make_task(**options) -> ClassificationTask:
    optimizer = partial(torch.optim.SGD, lr=0.5, weight_decay=0.1)
    return ClassificationTask(Oracle(), optimizer=optimizer, schedule=partial(constant, warmup=0.0), **options)


def test_who_knows_all_labels_is_right_everywhere(root, tmp_path):
    task = make_task()
    trainer(tmp_path).validate(task, datamodule=make_data(root), verbose=False)
    assert task.scores.summary["top1"] == task.scores.summary["top5"] == 1
    assert task.scores.summary["calibration_error"] == pytest.approx(0.1)
    assert task.report(tmp_path, task.metric.evidence(), False) == {}
    assert (tmp_path / "confusion.json").is_file() and (tmp_path / "pictures/confusion.svg").is_file()


def test_images_are_mixed_until_the_end_comes_near(root, tmp_path):
    task = make_task(mixup=0.4, cutmix=1.0, mix_until=0.5)
    trainer(tmp_path, max_epochs=2).fit(task, datamodule=make_data(root))
    mixed = [targets.label_weights is not None for _, targets in task.model.seen]
    assert mixed == [True] * 3 + [False] * 3
    weights = task.model.seen[0][1].label_weights
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(4))
