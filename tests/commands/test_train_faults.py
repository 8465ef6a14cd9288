"""What a user can get wrong, answered by one line and exit code 2, with nothing lost."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file
from small_runs import annotation_file, checkpoint, curves, files, run, words

from tradeoffs.commands.launch import launch
from tradeoffs.errors import UserError
from tradeoffs.models.detection.ssd import SSD


@pytest.fixture
def data(photos: Path, tmp_path: Path) -> Path:
    """A copy of a sound data set, to be damaged."""
    return Path(shutil.copytree(photos, tmp_path / "data"))


@pytest.fixture
def command(data: Path, tmp_path: Path, monkeypatch, capsys):
    """Runs the train command's front door on the data; gives the exit code and stderr's lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")  # so that it is taken back after the test

    def start(*changes: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["train.py", *words(data, Path("runs/faulty"), *changes)])
        code = 0
        try:
            launch("train", "tradeoffs.commands.train:train")
        except SystemExit as end:
            code = end.code
        return code, capsys.readouterr().err.splitlines()

    return start


def change(data: Path, edit: Callable[[dict], object], split: str = "train") -> None:
    file = annotation_file(data, split)
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def change_first(kind: str, **values: object) -> Callable[[Path], None]:
    return lambda data: change(data, lambda content: content[kind][0].update(values))


def cut_off(data: Path) -> None:
    """In the middle of the file of image 10."""
    path = data / "train" / "1.png"
    path.write_bytes(path.read_bytes()[:3000])


FAULTS = {
    "missing image": (
        lambda data: (data / "train" / "1.png").unlink(),
        "1 fault in {train}: {data}/train/1.png (image 10): there is no such file",
    ),
    "truncated image": (
        cut_off,
        "1 fault in {train}: {data}/train/1.png (image 10): cannot be decoded: image file is truncated",
    ),
    "no image": (
        lambda data: (data / "train" / "1.png").write_text("hello"),
        "1 fault in {train}: {data}/train/1.png (image 10): is not an image",
    ),
    "annotation of no image": (
        change_first("annotations", image_id=999),
        "1 fault in {train}: train.json, annotation 1 of image 999: there is no image of this id",
    ),
    "no area": (
        change_first("annotations", bbox=[5, 5, 0, 10]),
        "1 fault in {train}: train.json, annotation 1 of image 10: the box [5, 5, 0, 10] has no area",
    ),
    "outside": (
        change_first("annotations", bbox=[500, 5, 10, 10]),
        "1 fault in {train}: train.json, annotation 1 of image 10: "
        "the box [500, 5, 10, 10] is outside its image of 80 x 64",
    ),
    "unknown category": (
        change_first("annotations", category_id=4),
        "1 fault in {train}: train.json, annotation 1 of image 10: there is no category 4",
    ),
    "empty split": (
        lambda data: change(data, lambda content: content.update(images=[], annotations=[])),
        "1 fault in {train}: train.json: has no images",
    ),
    "broken JSON": (
        lambda data: annotation_file(data, "train").write_text('{"images": [}'),
        "1 fault in {train}: train.json: broken JSON at line 1, column 13 (Expecting value); "
        "fetch or write the file again",
    ),
    "no COCO": (
        lambda data: annotation_file(data, "train").write_text("[]"),
        "1 fault in {train}: train.json: has no valid images, annotations, categories; "
        "COCO format is an object with lists images, annotations, categories",
    ),
    "missing annotation file": (
        lambda data: annotation_file(data, "train").unlink(),
        "no train annotations in {data}: looked for annotations/train.json, annotations/instances_train.json, "
        "annotations/instances_train2017.json, train.json, train/_annotations.coco.json, person_keypoints_train.json; "
        "give data.source.train_annotations=PATH, relative to data.root (. is that folder itself)",
    ),
    "missing image folder": (
        lambda data: shutil.rmtree(data / "train"),
        "no train images in {data}: looked for train, train2017, images/train, images/train2017, images; "
        "give data.source.train_images=PATH, relative to data.root (. is that folder itself)",
    ),
    "missing folder": (shutil.rmtree, "data.root={data} does not exist; give the folder that holds the data set"),
    "other categories": (
        change_first("categories", name="light"),
        "{train} and {val} have different categories; both splits need the same ids and names",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_data_is_answered_by_one_line(command, data: Path, tmp_path: Path, fault: str):
    damage, line = FAULTS[fault]
    damage(data)
    code, (first, *details) = command()
    names = {"data": data, "train": annotation_file(data, "train"), "val": annotation_file(data, "val")}
    assert (code, first) == (2, line.format(**names))
    assert all(detail.startswith(("  error: ", "  warning: ")) for detail in details)
    assert not list((tmp_path / "runs").rglob("faulty/*"))


def test_all_faults_of_both_splits_are_listed_with_file_and_id(command, data: Path):
    change_first("annotations", bbox=[5, 5, 0, 10])(data)
    change(data, lambda content: content["annotations"][4].update(category_id=4))
    cut_off(data)
    (data / "train" / "2.png").unlink()
    change(data, lambda content: content["annotations"][0].update(bbox=[1, 2, 3]), split="val")
    code, (first, *details) = command()
    train, val = annotation_file(data, "train"), annotation_file(data, "val")
    assert code == 2
    assert first.startswith(f"4 faults in {train}: ") and f", ...; 1 fault in {val}: " in first
    assert [line.strip() for line in details if line.startswith("  error: ")] == [
        "error: train.json, annotation 1 of image 10: the box [5, 5, 0, 10] has no area",
        "error: train.json, annotation 5 of image 30: there is no category 4",
        f"error: {data}/train/1.png (image 10): cannot be decoded: image file is truncated",
        f"error: {data}/train/2.png (image 20): there is no such file",
        "error: val.json, annotation 1 of image 10: the box [1, 2, 3] is not four numbers: left, top, width, height",
    ]


def test_faults_can_be_left_out(command, data: Path, caplog):
    change_first("annotations", bbox=[5, 5, 0, 10])(data)
    (data / "train" / "2.png").unlink()
    assert command("data.on_fault=drop", "epochs=1") == (0, [])
    assert any(text.startswith("left out images: 1, annotations: 1; 2 faults in") for text in caplog.messages)


def test_weights_of_another_architecture(command, tmp_path: Path):
    path = tmp_path / "resnet18.safetensors"
    save_file(timm.create_model("resnet18", num_classes=0).state_dict(), path)
    code, (line,) = command(f"backbone.weights={path}")
    assert code == 2
    assert line.startswith(f"backbone.weights={path} is of another architecture: missing ")
    assert "; unexpected " in line and "; other shapes " in line


def test_the_real_command_has_exit_code_2_and_no_traceback(data: Path, tmp_path: Path, project: Path):
    change_first("annotations", bbox=[5, 5, 0, 10])(data)
    command = [sys.executable, project / "train.py", *words(data, tmp_path / "runs" / "faulty")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (2, "")
    line, detail = ended.stderr.splitlines()
    assert line.endswith("train.json, annotation 1 of image 10: the box [5, 5, 0, 10] has no area")
    assert detail == "  error: train.json, annotation 1 of image 10: the box [5, 5, 0, 10] has no area"


# A loss that is no number


def broken_after(step: int) -> Callable:
    """SSD's criterion that divides zero by zero in its `step`-th training step, counted from 1."""
    criterion, steps = SSD.criterion, iter(range(1, 1000))

    def broken(self, output, targets):
        losses = criterion(self, output, targets)
        if self.training and next(steps) == step:
            losses["classification"] = losses["classification"] * torch.tensor(0.0) / 0
        return losses

    return broken


def test_a_loss_that_is_no_number_stops_the_run_which_can_go_on(data: Path, tmp_path: Path, monkeypatch, capsys):
    whole, folder = tmp_path / "whole", tmp_path / "broken"
    run(data, whole)
    with monkeypatch.context() as patch:
        patch.setattr(SSD, "criterion", broken_after(5))
        with pytest.raises(UserError) as error:
            run(data, folder, "checkpoint_minutes=1e-9")
    saved = torch.load(folder / "nonfinite_batch.pt", weights_only=True)
    images = ", ".join(map(str, saved["image_ids"].tolist()))
    assert str(error.value) == (
        "the loss is not finite after step 5: loss is nan, loss/classification is nan "
        f"on images {images}, saved in {folder / 'nonfinite_batch.pt'}; "
        "a lower learning rate or gradient clipping may help"
    )
    assert checkpoint(folder, "last.ckpt")["global_step"] == 4
    capsys.readouterr()
    run(data, folder)
    assert "going on from" in capsys.readouterr().out
    assert curves(folder) == curves(whole)


def test_an_absurd_learning_rate(command):
    code, (line,) = command("optimizer.lr=1e30", "trainer.gradient_clip_val=null")
    assert code == 2
    assert line.startswith("the loss is not finite after step 2: ") and "nonfinite_batch.pt; a lower learning" in line


# A disk that fills up


def test_a_full_disk_leaves_the_former_checkpoint(command, data: Path, tmp_path: Path, monkeypatch):
    """The system takes best and last of the first epoch, and nothing of the second."""
    sync, calls = os.fsync, iter(range(1, 1000))

    def full(descriptor: int) -> None:
        if os.fstat(descriptor).st_size > 1_000_000 and next(calls) > 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    whole, folder = tmp_path / "whole", tmp_path / "runs" / "faulty"
    run(data, whole)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        code, (line,) = command()
    assert code == 2
    assert line.startswith("no space for runs/faulty/checkpoints/")
    assert line.endswith(".ckpt is whole: free space and run again with resume=auto")
    assert checkpoint(folder, "last.ckpt")["global_step"] == 3
    assert not list(folder.rglob("*.partial"))
    assert command() == (0, [])
    assert curves(folder) == curves(whole)
    assert set(files(folder)) == set(files(whole))
