"""Published classifiers are scored without training: `weights=timm`, `epochs=0`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from forked import start_sweep
from PIL import Image
from safetensors.torch import save_file
from timm.data import ImageNetInfo

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.train import train
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record
from tradeoffs.settings.compose import compose
from tradeoffs.settings.published import as_group, as_run
from tradeoffs.settings.rules import check

NETWORK, SIDE = "test_resnet", 64


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file(timm.create_model(NETWORK).state_dict(), path)
    return path


def write_images(root: Path, classes: tuple[str, ...]) -> Path:
    """Noise of many colours, six images of each class in both splits."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in classes:
            (root / split / name).mkdir(parents=True)
            for number in range(6):
                pixels = rng.integers(0, rng.integers(2, 256, 3), (SIDE, SIDE, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{number}.png")
    return root


def settings(data: Path, weights: Path, folder: Path, *changes: str):
    words = ["weights=timm", "backbone=timm", f"backbone.name={NETWORK}", f"backbone.weights={weights}"]
    words += ["data=image_folder", f"data.root={data}", f"data.source.cache={folder.parent}", f"image_size={SIDE}"]
    words += [f"runs={folder.parent}", f"name={folder.name}", "measure=false", "trainer=cpu", "workers=0", *changes]
    config = compose("train", as_group(words))
    check(config)
    return config


def test_the_outputs_of_the_datas_classes_are_scored(tmp_path, weights, capsys):
    data = write_images(tmp_path / "images", ("tench", "goldfish", "n02102040"))
    train(settings(data, weights, tmp_path / "run", "resize=warp"))
    said = capsys.readouterr().out
    assert "of the 1000 classes that the weights know, the data's 3 are kept, by name" in said
    record = read_record(tmp_path / "run/result.json")
    assert (record.training["steps"], record.training["epochs"], record.status) == (0, 0, "finished")

    theirs = timm.create_model(NETWORK).eval()
    theirs.load_state_dict(timm.models.load_state_dict(weights))
    ids = ImageNetInfo("imagenet-1k").label_names()
    names = ["goldfish", "n02102040", "tench"]
    outputs = [ids.index(each) for each in ("n01443537", "n02102040", "n01440764")]
    files = [(names.index(file.parent.name), file) for file in sorted((data / "val").rglob("*.png"))]
    pixels = np.stack([np.asarray(Image.open(file)) for _, file in files])
    mean, std = (torch.tensor(theirs.default_cfg[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        best = theirs((torch.tensor(pixels).permute(0, 3, 1, 2) / 255 - mean) / std)[:, outputs].argmax(dim=1)
    expected = np.mean(best.numpy() == [label for label, _ in files])
    assert record.accuracy["summary"]["top1"] == pytest.approx(expected)
    assert [row["name"] for row in record.accuracy["per_class"]] == names

    evaluate(compose("evaluate", [f"run={tmp_path / 'run'}", "trainer.accelerator=cpu"]))  # from its own checkpoint
    again = read_record(tmp_path / "run/evaluations/default/result.json")
    assert again.accuracy == record.accuracy
    found = json.loads((tmp_path / "run/predictions.json").read_text())
    assert len(found) == 3 * len(files)


def test_classes_that_the_weights_do_not_know_are_refused(tmp_path, weights):
    data = write_images(tmp_path / "images", ("tench", "my cat"))
    with pytest.raises(UserError, match="epochs=0 scores weights as they are, but the weights know 1000 classes"):
        train(settings(data, weights, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_nothing_goes_on_without_training(tmp_path, weights):
    data = write_images(tmp_path / "images", ("tench", "goldfish"))
    train(settings(data, weights, tmp_path / "run"))
    checkpoint = tmp_path / "run/checkpoints/best.ckpt"
    with pytest.raises(UserError, match=r"best.ckpt was scored without training \(epochs=0\)"):
        train(settings(data, weights, tmp_path / "longer", "epochs=1", f"resume={checkpoint}"))


def test_random_weights_are_no_result(tmp_path):
    data = write_images(tmp_path / "images", ("tench", "goldfish"))
    with pytest.raises(UserError, match="weights as they are, but these do not know the data's classes"):
        train(settings(data, Path("none"), tmp_path / "run"))
    with pytest.raises(UserError, match="epochs=0 scores a published classifier as it is; type weights=timm"):
        settings(data, Path("none"), tmp_path / "run", "model=classifier")


def test_a_sweep_scores_several(tmp_path, weights, monkeypatch):
    data = write_images(tmp_path / "images", ("tench", "goldfish"))
    monkeypatch.chdir(tmp_path)
    words = [
        "weights=timm",
        "backbone=timm",
        f"backbone.name={NETWORK}",
        f"backbone.weights={weights}",
        "measure=false",
    ]
    words += ["data=image_folder", f"data.root={data}", f"data_dir={tmp_path}", "image_size=64,96", "trainer=cpu"]
    process = start_sweep([*words, "workers=0", "name=sizes"], tmp_path)
    process.join(300)
    assert process.exitcode == 0, (tmp_path / "said.txt").read_text()
    records = [read_record(file) for file in (tmp_path / "runs/sizes").glob("*/result.json")]
    assert sorted(record.who.image_size for record in records) == [64, 96]


def test_the_word_stands_for_settings_that_can_be_given_anew():
    assert as_group(["weights=timm", "backbone=resnet50"]) == [
        *("task=classification", "model=timm_classifier", "backbone.weights=pretrained", "resize=centre", "epochs=0"),
        "backbone=resnet50",
    ]
    assert "epochs=0" not in as_group(["epochs=5", "weights=timm"])
    with pytest.raises(UserError, match=r"weights=timm is for train.py"):
        as_run(["weights=timm", "source=x.jpg"])
