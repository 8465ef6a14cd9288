"""Finding the run that is meant, or saying why there is none."""

import os
from pathlib import Path

import pytest

from tradeoffs.errors import UserError
from tradeoffs.results.record import config_hash
from tradeoffs.runs.folder import save_config
from tradeoffs.runs.identity import identity, without_neutral
from tradeoffs.settings.compose import compose
from tradeoffs.settings.saved_runs import existing_runs, find_run, runs_of


@pytest.fixture
def runs(tmp_path: Path, monkeypatch) -> Path:
    """Three runs, the last of which is the newest; the current folder is the one around them."""
    monkeypatch.chdir(tmp_path)
    for age, name in enumerate(("cc", "model=ssd,seed=1", "bccd,seed=2")):
        make(name, seconds=age)
    return Path("runs")


def make(name: str, seconds: int) -> None:
    checkpoints = Path("runs", name, "checkpoints")
    checkpoints.mkdir(parents=True)
    for path in (checkpoints.parent / "config.yaml", checkpoints.parent / "result.json", checkpoints / "best.ckpt"):
        path.touch()
        os.utime(path, (seconds, seconds))


ALL = "in runs/ there are: bccd,seed=2 | model=ssd,seed=1 | cc"


@pytest.mark.parametrize(
    ("run", "line"),
    [
        ("runs/cc/checkpoints/best.ckpt", "is a file inside a run; give run=runs/cc checkpoint=best"),
        ("cc/checkpoints/best.ckpt", "is a file inside a run; give run=runs/cc checkpoint=best"),
        ("runs/cc/result.json", "is a file inside a run; give run=runs/cc"),
        ("cc/checkpoints", "is a folder inside a run; give run=runs/cc"),
        ("notes.txt", f"is a file; give the folder of a run; {ALL}"),
        ("runs", "is a folder of runs; give run=runs/ and one of them: bccd,seed=2 | model=ssd,seed=1 | cc"),
        ("empty", f"is no run: it has no config.yaml; {ALL}"),
        ("zzz", f"does not exist; {ALL}"),
        ("runs/bccd", f"does not exist; did you mean bccd,seed=2? {ALL}"),
        ("model=sdd,seed=1", f"does not exist; did you mean model=ssd,seed=1? {ALL}"),
        ("runs/cc/checkpoints/none.ckpt", f"does not exist; {ALL}"),
    ],
)
def test_what_is_no_run(runs, run, line):
    Path("notes.txt").touch()
    Path("empty").mkdir()
    with pytest.raises(UserError) as caught:
        find_run(run)
    assert str(caught.value) == f"run={run} {line}"


def test_a_sweep_is_no_run_but_has_some(runs):
    make("sweep/model=fcos,seed=9", seconds=9)
    with pytest.raises(UserError, match=r"run=sweep is a folder of runs; give run=sweep/ and .*: model=fcos,seed=9$"):
        find_run("sweep")
    with pytest.raises(UserError, match=r"did you mean sweep/model=fcos,seed=9\? in runs/ there are: sweep/model=fcos"):
        find_run("fcos")


def test_a_sweep_stands_for_its_trained_runs(runs):
    for name in ("sweep/model=ssd", "sweep/model=fcos", "sweep/model=yolo"):
        make(name, seconds=9)
    Path("runs/sweep/model=yolo/checkpoints/best.ckpt").unlink()  # it failed
    assert runs_of("sweep") == runs_of("runs/sweep/") == ["runs/sweep/model=fcos", "runs/sweep/model=ssd"]
    assert runs_of("cc") == ["cc"] and runs_of("zzz") == ["zzz"]


def test_another_checkpoint_inside_a_run(runs):
    Path("runs/cc/checkpoints/last-previous.ckpt").touch()
    with pytest.raises(UserError, match=r"run=runs/cc checkpoint=runs/cc/checkpoints/last-previous\.ckpt$"):
        find_run("cc/checkpoints/last-previous.ckpt")


def test_the_newest_of_many_runs_are_named(runs):
    for number in range(10, 14):
        make(f"run{number}", seconds=number)
    names = "run13 | run12 | run11 | run10 | bccd,seed=2 | and 2 older ones"
    assert existing_runs() == f"in runs/ there are: {names}"


@pytest.mark.parametrize("words", [[], ["backbone.weights=some.safetensors"], ["trainer=ddp", "trainer.devices=2"]])
def test_an_evaluation_that_changes_nothing_is_of_the_run_itself(runs, words):
    trained = compose("train", [*words, "name=trained"])
    make("trained", seconds=9)
    save_config(trained, runs / "trained")
    assert without_neutral(compose("evaluate", ["run=trained"])) == without_neutral(trained)
    assert without_neutral(compose("evaluate", ["run=trained", "image_size=64"])) != without_neutral(trained)


@pytest.mark.parametrize(
    ("epochs", "geometry", "distorts"), [(1, "flip", False), (39, "flip", False), (40, "ssd", True)]
)
def test_photos_seen_often_are_varied_more(epochs, geometry, distorts):
    chosen = compose("train", [f"epochs={epochs}"]).augmentation
    assert (chosen.geometry, chosen.photometric) == (geometry, distorts)
    assert compose("train", [f"epochs={epochs}", "augmentation=none"]).augmentation.geometry == "none"


def test_a_setting_that_is_new_makes_no_other_run_as_long_as_it_is_its_default():
    """The hash is that of records from before `backbone.width` and `task.max_detections`; see `AS_TRAINED`."""
    words = ["model=ssd", "backbone=mobilenet", "augmentation=ssd", "batch_size=32"]
    assert config_hash(without_neutral(compose("train", words))) == "bde1431d9c0c0567"
    assert "backbone.width" in without_neutral(compose("train", [*words, "backbone.width=0.5"]))
    assert "task.headline" in without_neutral(compose("train", [*words, "task.headline=AP50"]))


def test_a_narrow_backbone_has_a_name_of_its_own():
    names = [identity(compose("train", words), None).backbone for words in ([], ["backbone.width=0.5"])]
    assert names == ["mobilenet", "mobilenet-0.5"]


@pytest.mark.parametrize(("image_size", "part"), [(128, 0.125), (400, 0.04), (800, 0.04)])
def test_anchors_of_small_images_are_no_smaller_than_16_pixels(image_size, part):
    config = compose("train", ["model=retinanet", f"image_size={image_size}"])
    assert config.model.shapes.smallest == part
