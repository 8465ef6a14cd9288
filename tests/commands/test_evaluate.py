"""Scoring a finished run again."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from small_runs import CATEGORIES, NUM_VAL, annotation_file, files, write_split

from tradeoffs.commands import report
from tradeoffs.commands.evaluate import evaluate, named
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record, write_record
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


def evaluated(run: Path, *overrides: str) -> Path:
    """The folder of an evaluation on the CPU."""
    config = compose("evaluate", [f"run={run}", "trainer.accelerator=cpu", *overrides])
    check(config)
    evaluate(config)
    return Path(config.output)


def other_data(root: Path, *class_names: str) -> Path:
    """Validation split only, with other category ids."""
    write_split(root, "val", num_images=3, seed=5)
    ids = {category["id"]: place for place, category in enumerate(CATEGORIES, 1)}
    file = annotation_file(root, "val")
    content = json.loads(file.read_text())
    content["categories"] = [{"id": place, "name": name} for place, name in enumerate(class_names, 1)]
    for annotation in content["annotations"]:
        annotation["category_id"] = ids[annotation["category_id"]]
    file.write_text(json.dumps(content))
    return root


def test_times_are_kept_when_an_evaluation_is_repeated(run, capsys):
    folder = evaluated(run)
    evaluated(run)
    assert f"replaces the former evaluation in {folder}" in capsys.readouterr().out
    record = read_record(folder / "result.json")
    record.cost = {"batches": {"1": {"total_ms": {"median": 12.5}}}}
    write_record(folder / "result.json", record)
    evaluated(run)
    second = folder.with_name("default~2")
    assert f"{folder} holds times, which are kept; this evaluation goes to {second}" in capsys.readouterr().out
    assert read_record(folder / "result.json").cost == record.cost
    assert read_record(second / "result.json").accuracy == record.accuracy


def test_an_unchanged_run_scores_the_same(run, capsys):
    before = files(run)
    folder = evaluated(run)
    assert folder == run / "evaluations" / "default"
    own, again = read_record(run / "result.json"), read_record(folder / "result.json")
    assert own.accuracy["num_detections"] > 0
    assert again.accuracy == own.accuracy
    assert (again.who.name, again.training, again.status) == ("finished", {}, "finished")
    assert again.who.config_hash == own.who.config_hash
    assert (folder / "predictions.json").read_bytes() == (run / "predictions.json").read_bytes()
    assert {name: content for name, content in files(run).items() if "evaluations" not in name} == before
    shown = capsys.readouterr().out
    assert "Accuracy of each class" in shown
    assert f"{folder}/ holds" in shown and "result.json" in shown


def test_weights_of_a_training_that_did_not_end_are_no_result(run):
    record = read_record(run / "result.json")
    record.status, record.error = "stopped", "hopeless"
    write_record(run / "result.json", record)
    again = read_record(evaluated(run) / "result.json")
    assert (again.status, again.error) == ("stopped", "hopeless")
    (run / "result.json").unlink()
    again = read_record(evaluated(run, "output=" + str(run / "evaluations/again")) / "result.json")
    assert (again.status, again.error) == ("stopped", "its training has not ended")


def test_settings_given_anew_name_the_folder(run):
    folder = evaluated(run, "model.max_detections=7", "image_size=96", "checkpoint=last")
    assert folder.name == "checkpoint=last,image_size=96,model.max_detections=7"
    assert read_record(folder / "result.json").who.image_size == 96
    assert len(json.loads((folder / "predictions.json").read_text())) == 7 * NUM_VAL


def test_it_can_be_timed(run, monkeypatch):
    monkeypatch.setattr(report, "MEASURING_SECONDS", 0)
    monkeypatch.setattr(report, "LARGE_BATCH", 2)
    cost = read_record(evaluated(run, "measure=true") / "result.json").cost
    assert cost["trained"] and cost["image_size"] == [64, 64] and set(cost["batches"]) == {"1", "2"}


def test_other_data_needs_only_a_validation_split(run, tmp_path):
    folder = evaluated(run, "data=coco_folder", f"data.root={other_data(tmp_path / 'more', 'bright', 'dark')}")
    assert folder.name.startswith("data=coco_folder,data.root=more,")
    assert {found["category_id"] for found in json.loads((folder / "predictions.json").read_text())} == {1, 2}


@pytest.mark.parametrize("names", [("bright", "cat"), ("dark", "bright")])
def test_data_with_other_classes(run, tmp_path, names):
    root = other_data(tmp_path / "more", *names)
    with pytest.raises(UserError) as caught:
        evaluated(run, "data=coco_folder", f"data.root={root}")
    assert str(caught.value) == (
        f"{run}/checkpoints/best.ckpt knows 2 classes (bright, dark), but data=coco_folder has 2 classes "
        f"({', '.join(names)}); give data with the same classes in the same order"
    )


def test_a_run_whose_data_moved(run, tmp_path):
    with pytest.raises(UserError, match=r"data\.root alone does not move the data of a run; add data=coco_folder"):
        evaluated(run, f"data.root={tmp_path}")


@pytest.mark.parametrize("length", [0, 10_000, 300_000])  # torch complains of each in another way
def test_a_damaged_checkpoint(run, length):
    best = run / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:length])
    with pytest.raises(UserError, match=r"best\.ckpt is cut off or .*; choose another one"):
        evaluated(run)
    assert not (run / "evaluations").exists()


def test_a_run_without_best_weights(run):
    (run / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(UserError, match=r"is finished, but has no checkpoint best\.ckpt; there is checkpoint=last"):
        evaluated(run)


def test_weights_of_another_model(run):
    with pytest.raises(UserError, match=r"best\.ckpt is of another model: .* keep the settings of model and backbone"):
        evaluated(run, "model.neck.extra_channels=[64,64,64,64]")


def test_a_file_that_is_no_checkpoint_of_a_run(run, tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "weights.pt")
    with pytest.raises(UserError, match=r"weights\.pt is no checkpoint of a run"):
        evaluated(run, f"checkpoint={tmp_path / 'weights.pt'}")


def test_files_that_only_training_needs_may_be_gone(run):
    config = run / "config.yaml"
    text = config.read_text()
    assert "weights: none" in text and "resume: auto" in text
    config.write_text(text.replace("weights: none", "weights: /gone.pt").replace("resume: auto", "resume: /gone.ckpt"))
    assert (evaluated(run, "checkpoint=last") / "result.json").is_file()


def test_an_unknown_checkpoint_is_a_mistake(run):
    with pytest.raises(UserError, match=r"checkpoint=zzz does not exist; give best, last or an existing file"):
        check(compose("evaluate", [f"run={run}", "checkpoint=zzz"]))


def test_long_lists_of_classes_are_cut():
    assert named(["cat"]) == "1 class (cat)"
    assert named(list("abcdefg")) == "7 classes (a, b, c, d, e, ...)"


def test_help():
    lines = usage("evaluate", CONF).splitlines()
    assert any(line.startswith("  run=RUN ") for line in lines)
    assert any(line.startswith("  data ") for line in lines) and any(" coco_folder " in line for line in lines)
    assert len(lines) < 54
