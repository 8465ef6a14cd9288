"""`python -m tradeoffs.proposals`: regions are kept, scored and timed, and a mistake is one line."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from tradeoffs.commands.propose import propose
from tradeoffs.dashboard.store import Store
from tradeoffs.errors import UserError
from tradeoffs.settings.compose import CONF, compose
from tradeoffs.settings.help_text import usage
from tradeoffs.settings.rules import check


@pytest.fixture
def run(photos, tmp_path, monkeypatch):
    """The command with some settings; returns the folder of its scores."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Path:
        own = ["data=coco_folder", f"data.root={photos}", f"data_dir={tmp_path}/data"]
        config = compose("propose", [*own, *words])
        check(config)
        propose(config)
        return Path("runs/proposals") / config.name

    return run


def test_regions_are_scored_and_timed(run, capsys):
    folder = run("name=mine")
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["proposals"]["name"] == "selective_search" and summary["data"]["split"] == "val"
    assert (summary["images"], summary["objects"]) == (5, 8) and len(summary["data"]["val"]) == 16
    assert summary["milliseconds_per_image"]["median"] > 0 and summary["milliseconds_per_image"]["images"] == 5
    last = summary["by_count"][-1]
    assert last["regions"] == 2000 and last["recall at 0.5"] == 1 and last["MABO"] > 0.9
    rows = list(csv.DictReader((folder / "recall.csv").open()))
    assert len(rows) == 11 * 10 and rows[-10] == {"n": "2000", "iou": "0.50", "recall": "1"}
    at_70 = next(row for row in rows if (row["n"], row["iou"]) == ("10", "0.70"))
    assert float(at_70["recall"]) == pytest.approx(summary["by_count"][3]["at 0.7"], abs=1e-6)
    assert OmegaConf.load(folder / "config.yaml").proposals.mode == "fast"
    table, faults = Store(Path("runs")).proposals()
    assert faults == [] and len(table) == len(rows) and table["ms"].notna().all()
    said = capsys.readouterr().out
    assert "selective_search: 8 objects in 5 images of coco_folder" in said and "ms an image on" in said


def test_what_is_there_is_neither_computed_nor_timed_again(run, capsys):
    first = json.loads((run("proposals=random") / "summary.json").read_text())
    capsys.readouterr()
    again = json.loads((run("proposals=random") / "summary.json").read_text())
    said = capsys.readouterr().out
    assert "proposes" not in said and "ms an image" not in said
    assert again == {**first, "milliseconds_per_image": None} and first["milliseconds_per_image"]
    run("proposals=random", "measure=true")
    assert "ms an image on" in capsys.readouterr().out


def test_some_images_and_more_regions_than_usual(run):
    folder = run("proposals=random", "proposals.count=2100", "images=2", "split=train")
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["images"], summary["regions_per_image"], summary["by_count"][-1]["regions"]) == (2, 2100, 2100)
    assert "proposals=random,proposals.count=2100,images=2,split=train" in folder.name


def test_images_without_objects_are_one_line(run, photos, tmp_path):
    file = photos / "annotations/val.json"
    content = json.loads(file.read_text())
    (tmp_path / "none.json").write_text(json.dumps({**content, "annotations": []}))
    with pytest.raises(UserError, match="have no objects to be found; their regions are kept in"):
        run("proposals=random", f"data.source.val_annotations={tmp_path}/none.json")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["proposals=edge_boxes"],
            "proposals.model is missing; add proposals.model=FILE, the edge detector: ",
        ),
        (["proposals=edge_boxes", "proposals.model=/nowhere"], "proposals.model=/nowhere does not exist; give an"),
        (["proposals.mode=slow"], "proposals.mode=slow is impossible; proposals.mode is one of fast, quality"),
        (["proposals=rando"], "proposals=rando is unknown; did you mean random?"),
        (["proposals.count=5"], "proposals.count is not a setting"),
        (["split=test"], "split=test is impossible; split is one of train, val"),
        (["images=0"], "images=0 is impossible; images is a whole number, 1 or more, or null"),
        (["~data"], "data is missing; choose one: "),
        (["~proposals"], "proposals is missing; choose one: edge_boxes, random, rpn, selective_search, sliding_window"),
    ],
)
def test_mistakes_are_one_line(words, line):
    with pytest.raises(UserError) as raised:
        check(compose("propose", words))
    assert str(raised.value).startswith(line)


def test_help_lists_algorithms_and_their_settings():
    text = usage("propose", CONF, ["proposals=sliding_window"])
    assert "sliding_window*" in text and "proposals.stride=0.5" in text and "images=null" in text


def test_the_command_itself(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "tradeoffs.proposals", "data=coco_folder", "data.root=absent", "proposals=random"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines() == ["data.root=absent does not exist; give the folder that holds the data set"]
