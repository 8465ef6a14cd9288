"""The detection task with models whose answers are known."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image
from pytorch_lightning import Trainer
from small_runs import write_data
from torch import Tensor, nn

from tradeoffs.data.module import CocoDataModule
from tradeoffs.data.sources import coco_folder
from tradeoffs.structures import Detections, Targets
from tradeoffs.tasks.detection import DetectionTask
from tradeoffs.training.schedule import constant


class Oracle(nn.Module):
    """Finds what the targets it was given last say; its losses are 1 and 2 times a weight that begins at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.bias = nn.Parameter(torch.zeros(1))
        self.matrix = nn.Parameter(torch.zeros(2, 2))
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append(images)
        return self.weight

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        return self.criterion(self(images), targets)

    def criterion(self, output: Tensor, targets: Targets) -> dict[str, Tensor]:
        self.targets = targets
        return {"first": output.sum(), "second": 2 * output.sum()}

    def postprocess(self, output: Tensor, image_size: tuple[int, int]) -> Detections:
        boxes, labels, valid = self.targets.boxes, self.targets.labels, self.targets.valid
        return Detections(boxes, torch.full(labels.shape, 0.9), labels, valid)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


def make_data(root: Path, **options) -> CocoDataModule:
    settings = {"image_size": 48, "batch_size": 4, "workers": 0, "augmentation": "none", "photometric": False}
    data = CocoDataModule("tiny", partial(coco_folder, root=root), **settings | options)
    data.setup()
    return data


def make_task(**options) -> DetectionTask:
    optimizer = partial(torch.optim.SGD, lr=0.5, weight_decay=0.1)
    return DetectionTask(Oracle(), optimizer=optimizer, schedule=partial(constant, warmup=0.0), **options)


def make_trainer(folder: Path, **options) -> Trainer:
    quiet = {
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
    }
    return Trainer(accelerator="cpu", default_root_dir=folder, num_sanity_val_steps=0, **quiet, **options)


@pytest.mark.parametrize("resize", ["warp", "letterbox", "shorter_edge"])
def test_a_detector_that_finds_everything_scores_one(root: Path, tmp_path: Path, resize: str):
    """However images were resized, boxes find back into the originals, of which some are wider than high."""
    task = make_task()
    make_trainer(tmp_path).validate(task, datamodule=make_data(root, resize=resize), verbose=False)
    assert task.scores.summary["mAP"] == pytest.approx(1)
    assert [row["AP"] for row in task.scores.per_class[:2]] == pytest.approx([1, 1])
    assert task.scores.num_images == 5


@pytest.mark.parametrize(("limit", "images"), [(1, 3), (2, 5), (0.5, 3), (1.0, 5)])
def test_a_shortened_validation_scores_the_images_it_saw(root: Path, tmp_path: Path, limit: float, images: int):
    task = make_task()
    make_trainer(tmp_path, limit_val_batches=limit).validate(task, datamodule=make_data(root), verbose=False)
    assert task.scores.num_images == images
    assert task.scores.summary["mAP"] == pytest.approx(1)


def test_validations_do_not_add_up(root: Path, tmp_path: Path):
    task, trainer, data = make_task(), make_trainer(tmp_path), make_data(root)
    for _ in range(2):
        trainer.validate(task, datamodule=data, verbose=False)
    assert task.scores.num_detections == 8


def test_the_loss_is_the_sum_of_its_terms(root: Path, tmp_path: Path):
    task, trainer = make_task(), make_trainer(tmp_path, max_epochs=1, limit_train_batches=1)
    trainer.fit(task, datamodule=make_data(root))
    metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
    assert (metrics["loss"], metrics["loss/first"], metrics["loss/second"]) == (3, 1, 2)
    assert metrics["val/mAP"] == pytest.approx(1)
    # One step of 0.5 against the gradient 3; weights of one dimension do not decay.
    assert task.model.weight.item() == pytest.approx(1 - 0.5 * 3)
    assert metrics["val/loss"] == pytest.approx(3 * -0.5)


def test_only_matrices_decay(root: Path, tmp_path: Path):
    task = make_task()
    task.trainer = make_trainer(tmp_path, max_epochs=3)
    task.trainer.strategy.connect(task)
    task.trainer._data_connector.attach_data(task, datamodule=make_data(root))
    configured = task.configure_optimizers()
    decays = {id(p): group["weight_decay"] for group in configured["optimizer"].param_groups for p in group["params"]}
    assert {name: decays[id(parameter)] for name, parameter in task.model.named_parameters()} == {
        "weight": 0.0,
        "bias": 0.0,
        "matrix": 0.1,
    }
    assert configured["lr_scheduler"]["interval"] == "step"


@pytest.mark.parametrize("photometric", [True, False])
def test_colours_change_in_training_alone_if_the_data_says_so(root: Path, tmp_path: Path, photometric: bool):
    task, plain = make_task(), make_data(root)
    trainer = make_trainer(tmp_path, max_epochs=1)
    trainer.fit(task, datamodule=make_data(root, photometric=photometric))
    training, validation = task.model.seen[:3], task.model.seen[3:]
    loaded = [batch.images for batch in plain.train_dataloader()]
    assert all(map(torch.equal, training, loaded)) != photometric
    assert all(map(torch.equal, validation, [batch.images for batch in plain.val_dataloader()]))


class Dice(Oracle):
    """Notes a random number in every step, as dropout would draw it."""

    def losses(self, images: Tensor, targets: Targets) -> dict[str, Tensor]:
        self.drawn = [*getattr(self, "drawn", []), torch.rand(1).item()]
        return super().losses(images, targets)


def drawn(root: Path, folder: Path, seed: int, before: int) -> list[float]:
    """The random numbers of two epochs, after others were drawn `before`."""
    task = make_task(seed=seed)
    task.model = Dice()
    torch.manual_seed(before)
    make_trainer(folder, max_epochs=2, limit_val_batches=0).fit(task, datamodule=make_data(root))
    return task.model.drawn


def test_randomness_of_a_step_depends_on_its_place_and_the_seed(root: Path, tmp_path: Path):
    numbers = drawn(root, tmp_path, seed=1, before=1)
    assert len(set(numbers)) == 6
    assert drawn(root, tmp_path, seed=1, before=2) == numbers
    assert not set(drawn(root, tmp_path, seed=2, before=1)) & set(numbers)


class Limited(Oracle):
    def __init__(self, max_detections: int) -> None:
        super().__init__()
        self.max_detections = max_detections


@pytest.mark.parametrize(
    ("scored", "made", "remedy", "mAP"),
    [
        (100, 100, "task.max_detections=150 model.max_detections=150 allows more", 67 / 101),
        (100, 300, "task.max_detections=150 allows more", 67 / 101),
        (150, 150, None, 1),
    ],
)
def test_more_objects_than_detections_are_said(tmp_path: Path, capsys, scored, made, remedy, mAP):
    places = [(10 * (k % 15), 10 * (k // 15)) for k in range(150)]
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        Image.new("RGB", (150, 100)).save(tmp_path / split / "1.png")
        image = {"id": 1, "file_name": "1.png", "width": 150, "height": 100}
        objects = [
            {"id": k, "image_id": 1, "category_id": 1, "bbox": [*place, 8, 8], "area": 64}
            for k, place in enumerate(places, 1)
        ]
        content = {"images": [image], "annotations": objects, "categories": [{"id": 1, "name": "seed"}]}
        (tmp_path / f"{split}.json").write_text(json.dumps(content))
    task = DetectionTask(Limited(made), max_detections=scored)
    make_trainer(tmp_path).validate(task, datamodule=make_data(tmp_path), verbose=False)
    said = [
        line
        for line in capsys.readouterr().out.splitlines()
        if "has 150 objects, of which at most 100 can be found" in line
    ]
    assert [remedy in line for line in said] == ([True] if remedy else [])
    assert (task.scores.summary["mAP"], task.scores.max_detections) == (pytest.approx(mAP), scored)
