"""The train command from data to record: what it leaves, what it does the second time, which settings it takes."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import wandb
from omegaconf import OmegaConf
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from small_runs import (
    CATEGORIES,
    NUM_VAL,
    UNSEEN,
    annotation_file,
    checkpoint,
    curves,
    files,
    run,
    settings,
    words,
    write_data,
)

from tradeoffs.commands import report
from tradeoffs.commands import train as training
from tradeoffs.commands.trainer import build_trainer
from tradeoffs.errors import UserError
from tradeoffs.metrics.confusion import Confusion
from tradeoffs.metrics.curves import best_f1
from tradeoffs.metrics.matches import Matches
from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.record import Record, read_record
from tradeoffs.runs.build import build_data, build_task
from tradeoffs.sweeps.plan import has_settings
from tradeoffs.training.checkpoint_files import BEST, SafeCheckpointIO, has_training_state
from tradeoffs.training.progress import Progress


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"), [*CATEGORIES, UNSEEN])


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run, timed too. Tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "MEASURING_SECONDS", 0)
        run(data, folder, "measure=true")
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """Of the finished run; to be changed."""
    return Path(shutil.copytree(finished, tmp_path / "finished"))


@pytest.fixture(scope="module")
def record(finished: Path) -> Record:
    return read_record(finished / "result.json")


def official_scores(data: Path, folder: Path, capsys: pytest.CaptureFixture) -> list[float]:
    """COCO's twelve numbers, as pycocotools computes them from the files alone."""
    truth = COCO(str(annotation_file(data, "val")))
    evaluation = COCOeval(truth, truth.loadRes(str(folder / "predictions.json")), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    capsys.readouterr()
    return evaluation.stats.tolist()


def as_official(summary: dict[str, float | None]) -> list[float]:
    return [-1 if value is None else value for value in summary.values()]


def test_a_run_is_a_folder(finished: Path):
    assert set(files(finished)) == {
        *("config.yaml", "data.json", "metrics.csv", "predictions.json", "matches.npz", "result.json"),
        *("checkpoints/best.ckpt", "checkpoints/last.ckpt", "confusion.json"),
        *("pictures/epoch_000.jpg", "pictures/epoch_001.jpg", "pictures/best.jpg"),
        *("pictures/precision_recall.svg", "pictures/confusion.svg"),
    }


def test_its_settings_are_resolved(data: Path, finished: Path):
    saved = OmegaConf.load(finished / "config.yaml")
    assert saved == OmegaConf.create(OmegaConf.to_container(settings(data, finished, "measure=true"), resolve=True))
    assert "${" not in (finished / "config.yaml").read_text()


def test_the_record_is_complete(record: Record, data: Path):
    who = record.who
    assert (who.name, who.task, who.model, who.backbone) == ("finished", "detection", "ssd", "test_resnet")
    assert (who.data, who.image_size, who.seed) == (data.name, 64, 1)
    assert record.status == "finished" and record.error is None
    assert (record.training["epochs"], record.training["steps"], record.training["processes"]) == (2, 6, 1)
    assert record.training["precision"] == "32-true"
    assert record.training["seconds"] > 0 and record.training["images_per_second"] > 0
    assert record.where["torch"] == torch.__version__
    assert set(record.cost["batches"]) == {"1", "8"} and record.cost["trained"] is True


def test_the_cost_is_that_of_the_model(data: Path, finished: Path, record: Record):
    model = build_task(settings(data, finished), num_classes=3).model
    assert record.cost["parameters"] == sum(weight.numel() for weight in model.parameters())
    assert record.cost["image_size"] == [64, 64]


def test_the_scores_are_those_of_the_predictions(data: Path, finished: Path, record: Record, capsys):
    assert as_official(record.accuracy["summary"]) == pytest.approx(official_scores(data, finished, capsys), abs=1e-9)
    assert record.accuracy["summary"]["mAP"] > 0
    predictions = json.loads((finished / "predictions.json").read_text())
    assert len(predictions) == record.accuracy["num_detections"] > 0
    assert {each["image_id"] for each in predictions} == {10 * number for number in range(1, NUM_VAL + 1)}
    assert {each["category_id"] for each in predictions} == {3, 10, 20}
    assert record.accuracy["num_images"] == NUM_VAL


def test_the_threshold_of_best_f1_is_known(finished: Path, record: Record):
    best, confusion = record.accuracy["best_f1"], Confusion.load(finished / "confusion.json")
    assert best == best_f1(Matches.load(finished / "matches.npz"))._asdict()
    assert confusion.threshold == best["threshold"] and confusion.classes == ["bright", "dark", "unseen"]
    *rows, background = confusion.matrix
    assert [sum(row) for row in rows] == [each["instances"] for each in record.accuracy["per_class"]]
    predictions = json.loads((finished / "predictions.json").read_text())
    shown = sum(each["score"] >= best["threshold"] for each in predictions)
    assert sum(sum(row[:-1]) for row in confusion.matrix) == shown and background[-1] == 0


def test_a_class_that_never_occurs_has_no_score(record: Record):
    bright, dark, unseen = record.accuracy["per_class"]
    assert (bright["id"], dark["id"], unseen["id"]) == (3, 10, 20)
    assert bright["instances"] + dark["instances"] == 8 and unseen["instances"] == 0
    assert unseen["AP"] is None
    assert record.accuracy["summary"]["mAP"] == pytest.approx((bright["AP"] + dark["AP"]) / 2)


def test_the_record_agrees_with_the_curves(finished: Path, record: Record):
    rows = curves(finished, without=())
    steps, validations = [row for row in rows if row["loss"]], [row for row in rows if row["val/mAP"]]
    assert [int(row["step"]) for row in steps] == list(range(6))
    assert [int(row["step"]) for row in validations] == [2, 5]
    best = max(float(row["val/mAP"]) for row in validations)
    assert record.accuracy["summary"]["mAP"] == pytest.approx(best, rel=1e-5)
    assert record.training["images_per_second"] == pytest.approx(float(steps[-1]["images_per_second"]))
    for row in steps:
        terms = float(row["loss/localization"]) + float(row["loss/classification"])
        assert float(row["loss"]) == pytest.approx(terms, rel=1e-5)


def test_a_terminal_shows_the_epochs_the_tables_and_where_everything_is(data: Path, tmp_path: Path, capfd, monkeypatch):
    monkeypatch.setattr(Progress, "_is_time", lambda _: True)  # a line for every batch
    run(data, tmp_path / "run")
    captured = capfd.readouterr()
    lines = captured.out.splitlines()
    first_picture = f"what it finds so far: {tmp_path / 'run' / 'pictures' / 'epoch_000.jpg'}"
    assert lines.count(first_picture) == 1
    lines.remove(first_picture)
    epoch = ["epoch {}/2"] * 3 + ["epoch {}/2 validation"] * 2 + ["epoch {}/2"]
    assert [line.split("  ")[0] for line in lines[:12]] == [line.format(number) for number in (1, 2) for line in epoch]
    first, last = (float(row["val/mAP"]) for row in curves(tmp_path / "run") if row["val/mAP"])
    assert ("validation of the best weights" in captured.out) == (first >= last)
    assert "│ dark " in captured.out and f"{tmp_path / 'run'}/ holds" in captured.out
    assert captured.err == ""


def test_weights_that_were_validated_last_are_not_validated_again(data: Path, tmp_path: Path, capfd, monkeypatch):
    monkeypatch.setattr(Progress, "_is_time", lambda _: True)
    folder = tmp_path / "run"
    run(data, folder, "epochs=1", "ema=0.9")
    assert "validation of the best weights" not in capfd.readouterr().out
    assert (folder / "pictures" / "best.jpg").read_bytes() == (folder / "pictures" / "epoch_000.jpg").read_bytes()
    summary = read_record(folder / "result.json").accuracy["summary"]
    assert as_official(summary) == pytest.approx(official_scores(data, folder, capfd), abs=1e-9)
    best = SafeCheckpointIO().load_checkpoint(folder / "checkpoints" / BEST)
    task = build_task(settings(data, folder), num_classes=3)
    task.load_state_dict(best["state_dict"])
    trainer = build_trainer(settings(data, folder), folder, [], [])
    trainer.validate(task, datamodule=build_data(settings(data, folder)), verbose=False)
    assert task.scores.to_dict()["summary"] == summary


def test_the_last_epoch_is_validated_and_the_last_step_of_each_logged(data: Path, tmp_path: Path):
    """Also where an experiment meant for more epochs says otherwise."""
    folder = tmp_path / "run"
    score = run(data, folder, "trainer.check_val_every_n_epoch=3", "trainer.log_every_n_steps=50")
    rows = curves(folder)
    assert [row["step"] for row in rows if row["loss"]] == ["2", "5"]
    assert [row["step"] for row in rows if row["val/mAP"]] == ["5"]
    assert float(rows[-1]["val/mAP"]) == pytest.approx(score, rel=1e-5)


def test_checkpoints_of_a_finished_run_hold_weights_alone(data: Path, finished: Path, tmp_path: Path):
    """`keep_last=true` changes that, and nothing else."""
    run(data, tmp_path / "whole", "keep_last=true")
    for name in ("best.ckpt", "last.ckpt"):
        small, whole = checkpoint(finished, name), checkpoint(tmp_path / "whole", name)
        torch.testing.assert_close(small["state_dict"], whole["state_dict"], rtol=0, atol=0)
        assert not has_training_state(small) and has_training_state(whole) == (name == "last.ckpt")
    assert curves(tmp_path / "whole") == curves(finished)


def test_a_training_goes_on_from_weights_alone(data: Path, finished: Path, tmp_path: Path, capsys):
    """At the step and the learning rate where they were, and with a word about it."""
    best = finished / "checkpoints" / "best.ckpt"
    before = checkpoint(finished, "best.ckpt")
    run(data, tmp_path / "more", "epochs=3", f"resume={best}")
    assert f"{best} holds weights alone: training goes on from them with a new" in capsys.readouterr().out
    rows = [row for row in curves(tmp_path / "more") if row["loss"]]
    assert [int(row["step"]) for row in rows] == list(range(before["global_step"], 9))
    assert float(rows[0]["learning_rate"]) == pytest.approx(before["optimizer_states"][0]["param_groups"][0]["lr"])


def test_a_finished_run_is_measured_later_without_training(data: Path, finished: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(report, "MEASURING_SECONDS", 0)
    folder = tmp_path / "run"
    run(data, folder)
    before = files(folder)
    run(data, folder, "measure=true")
    record = read_record(folder / "result.json")
    assert record.cost["batches"] and record.accuracy == read_record(finished / "result.json").accuracy
    assert record.training["steps"] == 6
    assert files(folder)["metrics.csv"][1] == before["metrics.csv"][1]


def test_a_refused_run_leaves_no_folder(data: Path, tmp_path: Path):
    (tmp_path / "refused").mkdir()  # as Hydra does before anything else
    with pytest.raises(UserError):
        run(data, tmp_path / "refused", "backbone=timm", "backbone.name=no_such_network")
    assert not (tmp_path / "refused").exists()


def test_the_same_command_again_changes_nothing(data: Path, finished: Path, record: Record, capsys):
    before = files(finished)
    assert run(data, finished, "measure=true") == record.accuracy["summary"]["mAP"]
    assert f"{finished} is finished already; overwrite=true" in capsys.readouterr().out
    assert files(finished) == before


def test_a_run_depends_on_its_settings_alone(data: Path, finished: Path, copy: Path):
    """Trained anew, with what a former run could have left; loaded by workers, with no trace of time but times."""
    leftovers = ["nonfinite_batch.pt", "wandb_id.txt", "pictures/epoch_099.jpg", "evaluations/default/result.json"]
    for name in leftovers:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).touch()
    run(data, copy, "overwrite=true", "workers=2")
    assert set(files(copy)) == set(files(finished))
    assert curves(copy) == curves(finished)
    for name in ("best.ckpt", "last.ckpt"):
        old, new = checkpoint(finished, name), checkpoint(copy, name)
        torch.testing.assert_close(new["state_dict"], old["state_dict"], rtol=0, atol=0)
    assert (copy / "predictions.json").read_bytes() == (finished / "predictions.json").read_bytes()


def test_resume_never_begins_anew(data: Path, finished: Path, copy: Path, capsys):
    (copy / "result.json").unlink()
    (copy / "metrics.csv").unlink()
    run(data, copy, "resume=never")
    assert "going on" not in capsys.readouterr().out
    assert curves(copy) == curves(finished)


def test_a_run_that_lacks_only_its_record_gets_it(data: Path, copy: Path, record: Record, capsys):
    (copy / "result.json").unlink()
    before = (copy / "metrics.csv").read_bytes()
    run(data, copy)
    assert f"going on from {copy / 'checkpoints' / 'last.ckpt'}" in capsys.readouterr().out
    assert (copy / "metrics.csv").read_bytes() == before
    again = read_record(copy / "result.json")
    assert again.accuracy == record.accuracy
    before_the_end = checkpoint(copy, "last.ckpt")["callbacks"]["Throughput"]["seconds"]
    assert again.training["seconds"] >= before_the_end > 0


@pytest.mark.parametrize(
    ("gone", "which", "remedy"),
    [((), "a finished", "overwrite=true"), (("result.json",), "an unfinished", "resume=never")],
)
def test_other_settings_under_the_same_name_are_listed(data: Path, copy: Path, gone, which, remedy):
    for name in gone:
        (copy / name).unlink()
    before = files(copy)
    with pytest.raises(UserError) as error:
        run(data, copy, "epochs=3", "augmentation=ssd", "workers=1")
    assert str(error.value) == f"{copy} holds {which} run with other settings; choose another name=, or {remedy}"
    assert error.value.details == (
        *("augmentation.geometry: flip -> ssd", "augmentation.photometric: False -> True", "epochs: 2 -> 3"),
        f"to train it further give resume={copy}/checkpoints/last.ckpt with another name=",
    )
    assert files(copy) == before


@pytest.mark.parametrize(
    "changes",
    [
        ["trainer.precision=bf16-mixed"],
        ["trainer.accumulate_grad_batches=2", "ema=null"],
        ["optimizer=sgd", "optimizer.lr=0.01", "schedule=step"],
        ["optimizer=rmsprop", "schedule=constant"],
        ["resize=letterbox", "augmentation=flip"],
        ["resize=shorter_edge", "augmentation=none"],
        ["backbone=resnet18", "backbone.freeze_norm=true", "channels_last=true"],
        ["trainer.check_val_every_n_epoch=3", "trainer.gradient_clip_val=null"],
        ["trainer.limit_train_batches=2", "trainer.limit_val_batches=1", "batch_size=3"],
        ["batch_size=32"],
    ],
    ids=lambda changes: " ".join(changes),
)
def test_settings_work_together(data: Path, tmp_path: Path, changes: list[str], capsys):
    folder = tmp_path / "run"
    score = run(data, folder, *changes)
    assert 0 <= score <= 1
    chosen = settings(data, folder, *changes)
    record = read_record(folder / "result.json")
    assert record.training["precision"] == chosen.trainer.precision
    batches = min(chosen.trainer.limit_train_batches or math.inf, max(1, 12 // chosen.batch_size))
    steps = math.ceil(batches / chosen.trainer.accumulate_grad_batches)
    assert record.training["steps"] == 2 * steps
    losses = [float(row["loss"]) for row in curves(folder) if row["loss"]]
    assert len(losses) == 2 * steps and all(map(math.isfinite, losses))
    assert (folder / "checkpoints" / "best.ckpt").exists()
    if chosen.trainer.limit_val_batches is None:
        official = official_scores(data, folder, capsys)
        assert as_official(record.accuracy["summary"]) == pytest.approx(official, abs=1e-9)
    else:
        assert record.accuracy["num_images"] == 3


def test_the_record_says_which_batch_size_was_suggested(data: Path, tmp_path: Path):
    given = ("batch_size=auto", "epochs=1")
    run(data, tmp_path / "run", *given)
    record = read_record(tmp_path / "run" / "result.json")
    assert (record.training["batch_size"], record.training["steps"]) == (8, 12 // 8)
    assert COLUMNS["images_seen"].read(record) == 8
    assert has_settings(record, settings(data, tmp_path / "run", *given))  # so a sweep knows it as finished


def test_one_image_is_too_few_for_batch_norm(data: Path, tmp_path: Path):
    with pytest.raises(UserError, match="one pixel; take two images or more"):
        run(data, tmp_path / "run", "batch_size=1")


def test_the_seed_matters(data: Path, finished: Path, tmp_path: Path):
    run(data, tmp_path / "run", "seed=2", "epochs=1")
    assert curves(tmp_path / "run")[0]["loss"] != curves(finished)[0]["loss"]


def test_wandb_without_a_key_writes_offline_and_keeps_its_id(data: Path, tmp_path: Path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    folder, summaries = tmp_path / "run", []
    monkeypatch.setattr(training, "finish", lambda loggers: summaries.append(dict(loggers[1].experiment.summary)))
    for _ in range(2):
        (folder / "result.json").unlink(missing_ok=True)
        run(data, folder, "logger=wandb", "epochs=1")
        wandb.finish()
    shown = {"model": "ssd", "image_size": 64, "seed": 1, "status": "finished"}
    assert shown.items() <= summaries[0].items()
    assert summaries[0]["mAP"] == read_record(folder / "result.json").accuracy["summary"]["mAP"]
    number = (folder / "wandb_id.txt").read_text().strip()
    runs = [path.name.rpartition("-")[2] for path in (folder / "wandb").glob("offline-run-*")]
    assert runs == [number, number] or runs == [number]  # two within a second share a folder


def test_tensorboard_where_it_is_not_installed(data: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"logger=tensorboard needs .*: pip install tensorboard"):
        run(data, tmp_path / "run", "logger=tensorboard")


@pytest.fixture(scope="module")
def two_processes(data: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One step of two processes, each with half of a batch, by the real command."""
    folder = tmp_path_factory.mktemp("runs") / "two"
    changes = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", *ONE_STEP]
    command = [sys.executable, project / "train.py", *words(data, folder, *changes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=240)
    return SimpleNamespace(folder=folder, changes=changes, ended=ended)


# By SGD, whose step grows with the gradient: Adam's first one is its sign, which rounding may decide.
ONE_STEP = ("epochs=1", "batch_size=12", "ema=null", "schedule=constant", "schedule.warmup=0", "optimizer=sgd")


# What torch's own threads between processes say now and then when one has ended, after all is written.
AT_EXIT = "terminate called without an active exception"


def test_two_processes_make_one_run(two_processes):
    assert two_processes.ended.returncode == 0
    assert two_processes.ended.stdout.count("epoch 1/1 ") == 1
    never = "warning: {0}.json: 1 of 3 classes never occur: unseen"
    said = [line for line in two_processes.ended.stderr.splitlines() if line != AT_EXIT]
    assert said == [never.format("train"), never.format("val")]
    folder = two_processes.folder
    assert {path.name for path in folder.parent.iterdir()} == {folder.name, ".locks"}
    training = read_record(folder / "result.json").training
    assert (training["processes"], training["steps"]) == (2, 1)


def test_two_processes_count_an_image_once(data: Path, two_processes, capsys):
    """Five images are shared unevenly; the scores are those of all of them, and those that one process gets."""
    folder = two_processes.folder
    accuracy = read_record(folder / "result.json").accuracy
    assert accuracy["num_images"] == NUM_VAL
    assert as_official(accuracy["summary"]) == pytest.approx(official_scores(data, folder, capsys), abs=1e-9)
    alone = scores_of_one_process(data, folder, *ONE_STEP)
    assert alone["mAP"] > 0
    assert as_official(accuracy["summary"]) == pytest.approx(as_official(alone), abs=1e-6)


def scores_of_one_process(data: Path, folder: Path, *changes: str) -> dict[str, float | None]:
    config = settings(data, folder, *changes)
    module = build_data(config)
    task = build_task(config, module.num_classes)
    task.load_state_dict(checkpoint(folder, "best.ckpt")["state_dict"])
    build_trainer(config, folder, [], []).validate(task, datamodule=module, verbose=False)
    return task.scores.to_dict()["summary"]


def test_two_processes_take_the_step_of_their_mean_gradient(data: Path, two_processes):
    """Batch norm sees its own half, and a loss is divided by its own half's matches."""
    config = settings(data, two_processes.folder, *ONE_STEP)
    module = build_data(config)
    task = build_task(config, module.num_classes).train()
    for rank in range(2):
        module.trainer = SimpleNamespace(global_rank=rank, world_size=2, num_devices=2)
        task._trainer = SimpleNamespace(current_epoch=0, global_rank=rank, datamodule=module)
        (batch,) = module.train_dataloader()
        assert len(batch) == 6
        task.on_train_batch_start(batch, 0)
        (sum(task.model.losses(batch.images, batch.targets).values()) / 2).backward()
    torch.nn.utils.clip_grad_norm_(task.parameters(), config.trainer.gradient_clip_val)
    task._trainer = SimpleNamespace(estimated_stepping_batches=1)
    optimization = task.configure_optimizers()
    optimization["optimizer"].step()
    trained = checkpoint(two_processes.folder, "last.ckpt")["state_dict"]
    torch.testing.assert_close(
        {name: trained[name] for name, _ in task.named_parameters()}, dict(task.named_parameters())
    )


def test_another_score_may_be_the_headline(photos: Path, tmp_path: Path, capsys):
    folder = tmp_path / "run"
    score = run(photos, folder, "task.headline=AP50", "epochs=1")
    record = read_record(folder / "result.json")
    assert (record.headline, record.score) == ("AP50", score) == ("AP50", record.accuracy["summary"]["AP50"])
    assert f"AP50 {score:.3f}" in capsys.readouterr().out
