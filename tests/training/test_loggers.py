import json
import os

import pytest
import torch

from tradeoffs.errors import UserError
from tradeoffs.pictures import save_picture
from tradeoffs.training import loggers
from tradeoffs.training.pictures import PredictionPictures


@pytest.fixture
def no_key(monkeypatch, tmp_path):
    """Nobody is logged in, and no W&B setting of the machine counts."""
    for name in [name for name in os.environ if name.startswith("WANDB")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def mode(folder) -> str:
    return loggers.wandb_logger(folder)._wandb_init["mode"]


def test_wandb_is_offline_without_a_key_and_online_with_one(tmp_path, no_key, monkeypatch):
    assert mode(tmp_path) == "offline"
    (tmp_path / "netrc").write_text("machine api.wandb.ai login user password secret")
    assert mode(tmp_path) == "online"
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    assert mode(tmp_path) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "x" * 40)
    assert mode(tmp_path) == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert mode(tmp_path) == "disabled"


def test_a_resumed_run_keeps_its_id(tmp_path, no_key):
    first, second = (loggers.wandb_logger(tmp_path / "a").version for _ in range(2))
    assert first == second
    assert loggers.wandb_logger(tmp_path / "b").version != first


def test_a_run_is_mirrored_offline(tmp_path, no_key, tiny_train, capsys):
    logger = loggers.wandb_logger(tmp_path, name="tiny", group="tests", config={"seed": 1})
    tiny_train(tmp_path, callbacks=[PredictionPictures(tmp_path)], logger=[logger], max_epochs=1)
    loggers.log_table([logger], "classes", [{"class": "circle", "AP": 0.5}])
    run = logger.experiment
    assert (run.name, run.group, dict(run.config)) == ("tiny", "tests", {"seed": 1})
    summary = dict(run.summary)
    loggers.finish([logger])
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("Weights & Biases: offline, since no API key is known (wandb login);")
    assert last == f"Weights & Biases was offline; to send the run later: wandb login, then wandb sync {folder}"
    assert summary["trainer/global_step"] == 5
    assert {"loss", "loss/boxes", "val/mAP"} <= summary.keys()
    assert summary["predictions"]["_type"] == "images/separated"
    assert summary["classes"]["nrows"] == 1
    assert len(list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))) == 1
    assert "WANDB_MODE" not in os.environ
    table = next((tmp_path / "wandb").rglob("*.table.json"))
    assert json.loads(table.read_text())["data"] == [["circle", 0.5]]


def test_tensorboard_gets_metrics_and_pictures(tmp_path):
    logger = loggers.tensorboard_logger(tmp_path)
    logger.log_metrics({"loss": 1.0}, step=1)
    save_picture(torch.zeros(3, 4, 4, dtype=torch.uint8), tmp_path / "x.jpg")
    loggers.log_picture([logger], "predictions", tmp_path / "x.jpg", 1)
    logger.finalize("success")
    events = next((tmp_path / "tensorboard").glob("events*")).read_bytes()
    assert b"loss" in events and b"predictions" in events


def test_tensorboard_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(loggers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install tensorboard"):
        loggers.require_packages(["tensorboard"])
