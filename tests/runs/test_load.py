"""A run, ready to be called."""

import inspect
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

import tradeoffs
from tradeoffs.commands.predict import predict
from tradeoffs.errors import UserError
from tradeoffs.runs.load import device_of
from tradeoffs.settings.compose import CONF, compose


def test_torch_is_not_imported_before_it_is_needed():
    code = "import sys, tradeoffs; sys.exit('torch' in sys.modules or not hasattr(tradeoffs, '__all__'))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'zzz'"):
        _ = tradeoffs.zzz


def test_it_finds_what_the_command_finds(finished_run, photos, tmp_path):
    predict(compose("predict", [f"run={finished_run}", f"source={photos}/val", f"output={tmp_path}", "min_score=0"]))
    content = json.loads((tmp_path / "predictions.json").read_text())
    found = tradeoffs.load(finished_run, min_score=0, device="cpu")(photos / "val")
    assert [each.name.as_posix() for each in found] == [image["file_name"] for image in content["images"]]
    for number, each in enumerate(found, 1):
        rows = [row for row in content["annotations"] if row["image_id"] == number]
        corners = torch.tensor([row["bbox"] for row in rows])
        corners[:, 2:] += corners[:, :2]
        assert torch.allclose(each.boxes, corners, atol=2e-3)
        assert each.scores.tolist() == pytest.approx([row["score"] for row in rows])
        assert [{"bright": 3, "dark": 10}[name] for name in each.names] == [row["category_id"] for row in rows]


def test_a_run_by_its_checkpoint_and_with_another_size(finished_run, photos):
    checkpoint = finished_run / "checkpoints" / "last.ckpt"
    model = tradeoffs.load(checkpoint, image_size=96, batch_size=2)
    other = tradeoffs.load(str(finished_run), checkpoint="last", image_size=96)
    assert model.resize.image_size == 96 and model.class_names == ["bright", "dark"] and model.batch_size == 2
    photo = photos / "val" / "1.png"
    assert model(photo, min_score=0).scores.tolist() == pytest.approx(other(photo, min_score=0).scores.tolist())


def test_by_default_it_is_as_the_command(finished_run):
    command = OmegaConf.load(CONF / "predict.yaml")
    defaults = {name: each.default for name, each in inspect.signature(tradeoffs.load).parameters.items()}
    for key in ("checkpoint", "device", "min_score", "batch_size"):
        assert defaults[key] == command[key]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"run": "zzz"}, "run=zzz does not exist"),
        ({"checkpoint": "zzz"}, "checkpoint=zzz does not exist; give best, last or an existing file"),
        ({"min_score": 2}, "min_score=2 is impossible; min_score is a number from 0 to 1, or auto"),
        ({"batch_size": 0}, "batch_size=0 is impossible; batch_size is a whole number, 1 or more"),
        ({"image_size": 3}, "image_size=3 is impossible; image_size is a whole number from 32 to 4096"),
        ({"device": "zzz"}, "device=zzz is no device; give auto, cpu, cuda or cuda:1"),
    ],
)
def test_mistakes(finished_run, settings, line):
    with pytest.raises(UserError, match=line):
        tradeoffs.load(**{"run": finished_run, **settings})


def test_a_run_that_calls_other_code_is_refused(finished_run, tmp_path):
    run = Path(shutil.copytree(finished_run, tmp_path / "run"))
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("tradeoffs.models.detection.ssd.SSD", "os.system"))
    with pytest.raises(UserError, match=r"is refused: its config.yaml calls os\.system"):
        tradeoffs.load(run)


def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of("auto") == device_of("cpu") == torch.device("cpu")
    with pytest.raises(UserError, match="device=cuda is impossible: torch finds no CUDA GPU here; give auto or cpu"):
        device_of("cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu(finished_run, photos):
    photo = photos / "val" / "1.png"
    model = tradeoffs.load(finished_run, device="cuda", min_score=0)
    on_cpu = tradeoffs.load(finished_run, device="cpu", min_score=0)(photo)
    assert model.device.type == "cuda" and model(photo).boxes.device.type == "cpu"
    assert model(photo).scores[:20].tolist() == pytest.approx(on_cpu.scores[:20].tolist(), abs=1e-2)
