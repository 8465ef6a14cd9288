"""Refused commands and failures at the end: what was there before is still there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf
from small_runs import checkpoint, files, run

from tradeoffs.commands import report
from tradeoffs.commands.evaluate import evaluate
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record
from tradeoffs.settings.compose import compose
from tradeoffs.training.checkpoint_files import BEST
from tradeoffs.training.checkpoints import Checkpoints


@pytest.fixture
def copy(finished_run: Path, tmp_path: Path) -> Path:
    """Of the finished run; to be changed."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.mark.parametrize("mistake", ["trainer.limit_train_batches=1.5", "trainer.strategy=dpp", "logger=tensorboard"])
def test_a_refused_command_clears_nothing(photos: Path, copy: Path, mistake, monkeypatch):
    if "tensorboard" in mistake:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    before = files(copy)
    with pytest.raises(UserError):
        run(photos, copy, "overwrite=true", mistake)
    assert files(copy) == before


def test_a_named_checkpoint_is_gone_on_with_also_when_its_run_is_overwritten(photos: Path, copy: Path):
    before = checkpoint(copy, "last.ckpt")["global_step"]
    run(photos, copy, "overwrite=true", "epochs=3", f"resume={copy / 'checkpoints' / 'last.ckpt'}")
    assert checkpoint(copy, "last.ckpt")["global_step"] == before // 2 * 3


def test_another_run_is_not_mixed_with_a_named_checkpoint(photos: Path, finished_run: Path, copy: Path):
    (copy / "result.json").unlink()
    before = files(copy)
    with pytest.raises(UserError, match="holds another run than that of resume="):
        run(photos, copy, f"resume={finished_run / 'checkpoints' / BEST}")
    assert files(copy) == before


def test_a_folder_that_is_no_run_is_not_cleared(photos: Path, tmp_path: Path):
    picture = tmp_path / "holidays" / "pictures" / "beach.jpg"
    picture.parent.mkdir(parents=True)
    picture.touch()
    with pytest.raises(UserError, match="holds pictures and is no run"):
        run(photos, tmp_path / "holidays")
    assert picture.exists()


def test_a_checkpoint_alone_is_no_run(photos: Path, copy: Path):
    for file in (copy / "config.yaml", copy / "result.json"):
        file.unlink()
    with pytest.raises(UserError, match="holds checkpoints and is no run"):
        run(photos, copy)
    assert (copy / "checkpoints" / "last.ckpt").exists()


def test_a_linked_folder_loses_its_link_alone(photos: Path, copy: Path, tmp_path: Path):
    scratch = Path(shutil.move(copy / "checkpoints", tmp_path / "scratch"))
    (copy / "checkpoints").symlink_to(scratch)
    run(photos, copy, "overwrite=true")
    assert (scratch / BEST).exists() and not (copy / "checkpoints").is_symlink()


@pytest.mark.parametrize("kept", [True, False])
def test_the_best_score_counts_where_its_weights_are(tmp_path: Path, kept: bool):
    if kept:
        (tmp_path / BEST).touch()
    callback = Checkpoints(tmp_path, "val/mAP")
    callback.load_state_dict({"best_score": 0.4})
    assert callback.best_score == (0.4 if kept else float("-inf"))


def test_too_little_memory_for_timing_costs_the_times_alone(photos: Path, tmp_path: Path, monkeypatch, capsys):
    def exhaust(*_):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(report, "measure_task", exhaust)
    best = run(photos, tmp_path / "run", "measure=true", "epochs=1")
    record = read_record(tmp_path / "run" / "result.json")
    assert (record.accuracy["summary"]["mAP"], record.cost) == (
        best,
        {"error": "out of memory while timing batches of 8"},
    )
    assert "out of memory while timing" in capsys.readouterr().out


def test_a_crash_while_timing_leaves_the_scores(photos: Path, tmp_path: Path, monkeypatch):
    def crash(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(report, "measure_task", crash)
    with pytest.raises(RuntimeError, match="something else"):
        run(photos, tmp_path / "run", "measure=true", "epochs=1")
    assert read_record(tmp_path / "run" / "result.json").accuracy["summary"]


@pytest.mark.parametrize("foreign", ["run", "predictions"])
def test_an_evaluation_overwrites_only_evaluations(copy: Path, foreign: str):
    folder = copy
    if foreign == "predictions":
        folder = copy / "mine"
        folder.mkdir()
        (folder / "predictions.json").write_text("{}")
    before = files(copy)
    config = compose("evaluate", [f"run={copy}", "trainer.accelerator=cpu", f"output={folder}"])
    with pytest.raises(UserError, match="did not write; give another folder"):
        evaluate(config)
    assert files(copy) == before


@pytest.mark.parametrize(
    "change",
    [
        {"backbone": {"_target_": "os.system"}},
        {"model": {"neck": {"_target_": "tradeoffs.commands.train.shutil.rmtree"}}},
        {"trainer": {"callbacks": [{"_target_": "builtins.exec"}]}},
    ],
)
def test_settings_of_a_run_never_call_what_is_not_ours(copy: Path, change: dict):
    file = copy / "config.yaml"
    OmegaConf.save(OmegaConf.merge(OmegaConf.load(file), change), file)
    with pytest.raises(UserError, match="which no file in conf/ does"):
        compose("evaluate", [f"run={copy}"])


def test_settings_of_a_run_do_not_steer_hydra(copy: Path):
    file = copy / "config.yaml"
    saved = OmegaConf.merge(OmegaConf.load(file), {"hydra": {"run": {"dir": "/elsewhere"}}})
    OmegaConf.save(saved, file)
    assert "hydra" not in compose("evaluate", [f"run={copy}"])
