"""Scoring one checkpoint at several operating points in one pass."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from small_runs import words

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.train import train
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check

DETECTOR = ("model=faster_rcnn", "model.num_proposals=20", "model.train_proposals=50", "epochs=1")


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "two_stage"
    train_with(photos, folder, "operating_points=[3,12]")
    return folder


def train_with(photos: Path, folder: Path, *overrides: str) -> None:
    kept = [word for word in words(photos, folder) if not word.startswith("model.neck")]
    train(compose("train", [*kept, *DETECTOR, *overrides]))


def evaluated(run: Path, *overrides: str) -> Path:
    config = compose("evaluate", [f"run={run}", "trainer.accelerator=cpu", "model.score_threshold=0", *overrides])
    check(config)
    evaluate(config)
    return Path(config.output)


def test_each_number_scores_as_if_evaluated_alone(run: Path, capsys):
    together = evaluated(run, "num_proposals=[3,12]")
    assert capsys.readouterr().out.rpartition("detection, ")[2].count("\n│") == 2  # one table of both
    assert {path.name for path in together.iterdir()} == {"num_proposals=3", "num_proposals=12"}
    for count in (3, 12):
        record = read_record(together / f"num_proposals={count}" / "result.json")
        alone = read_record(evaluated(run, f"model.num_proposals={count}") / "result.json")
        assert record.accuracy["num_detections"] == alone.accuracy["num_detections"] > 0
        assert record.accuracy["summary"] == pytest.approx(alone.accuracy["summary"], abs=1e-6)
        assert record.who.config_hash == alone.who.config_hash


def test_training_ends_with_the_same_scores(run: Path):
    evaluated_later = evaluated(run, "num_proposals=[3,12]")
    for count in (3, 12):
        record, later = (
            read_record(folder / f"num_proposals={count}/result.json")
            for folder in (run / "evaluations", evaluated_later)
        )
        assert record.config["model"]["num_proposals"] == count
        assert record.accuracy["summary"] == pytest.approx(later.accuracy["summary"], abs=1e-6)
    assert read_record(run / "result.json").config["model"]["num_proposals"] == 20


def test_a_finished_run_says_how_to_score_others(photos: Path, run: Path, capsys):
    train_with(photos, run, "operating_points=[3,7,9]")
    assert f"python evaluate.py run={run} num_proposals=7,9 measure=true\n" in capsys.readouterr().out


def test_more_operating_points_than_proposals():
    with pytest.raises(UserError, match=r"operating_points=\[10, 400\]: .* model.num_proposals=300; give at most"):
        check(compose("train", ["model=rfcn", "operating_points=[10,400]"]))


def test_images_that_were_not_looked_at_are_not_missed(run: Path):
    part = "trainer.limit_val_batches=1"
    together = evaluated(run, "num_proposals=[3,12]", part)
    for count in (3, 12):
        record = read_record(together / f"num_proposals={count}" / "result.json")
        alone = read_record(evaluated(run, f"model.num_proposals={count}", part) / "result.json")
        assert record.accuracy["summary"] == pytest.approx(alone.accuracy["summary"], abs=1e-6)


def test_only_for_models_with_proposals(finished_run: Path):
    with pytest.raises(
        UserError, match=r"num_proposals= is for models with proposals: fast_rcnn, faster_rcnn, keypoint_rcnn"
    ):
        evaluated(finished_run, "num_proposals=10")


VOTING_YAML = """\
# Several linear layers vote on the class.
task: classification
_target_: tradeoffs.models.classification.voting.Voting
num_votes: 4  # layers
operating_point: {name: num_votes, title: votes, values: [1, 3]}
"""
VOTING = """\
from typing import NamedTuple

from torch import Tensor, nn

from tradeoffs.models.classification.classifier import Classifier
from tradeoffs.models.classification.image_classifier import ClassifierOutput


class Votes(NamedTuple):
    votes: Tensor  # B V K

    def limited_to(self, num_votes):
        return Votes(self.votes[:, :num_votes])


class Voting(Classifier):
    def __init__(self, backbone, num_classes, num_votes):
        super().__init__(backbone, num_classes)
        self.num_votes = num_votes
        self.heads = nn.ModuleList([nn.Linear(self.vector.channels, num_votes * num_classes)])

    def forward(self, images):
        votes = super().forward(images).logits.unflatten(1, (-1, self.num_classes))
        return Votes(votes[:, : self.num_votes])

    def criterion(self, output, targets):
        return super().criterion(ClassifierOutput(output.votes.mean(dim=1)), targets)

    def postprocess(self, output, image_size):
        return super().postprocess(ClassifierOutput(output.votes.mean(dim=1)), image_size)
"""
COMMANDS = """\
import sys
from pathlib import Path

import small_runs
import tradeoffs.commands.report
from tradeoffs.commands.evaluate import evaluate
from tradeoffs.dashboard.export import report
from tradeoffs.dashboard.store import Store
from tradeoffs.results.__main__ import main
from tradeoffs.settings.command_line import quote_value
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check

tradeoffs.commands.report.MEASURING_SECONDS = 0
photos, run = map(Path, sys.argv[1:])
small_runs.run(photos, run, "task=classification", "model=voting", "augmentation=none", "operating_points=[2]")
config = compose("evaluate", [f"run={run}", quote_value("num_votes=1,3"), "trainer.accelerator=cpu", "measure=true"])
check(config)
evaluate(config)
main([str(run.parent), "--csv", str(run.parent / "table.csv")])
(run.parent / "report.html").write_text(report(Store(run.parent), {"figure": ["votes"]}), encoding="utf-8")
"""


@pytest.fixture(scope="module")
def votes(photos: Path, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a model that is added to a copy of the project: a file and a YAML."""
    place = tmp_path_factory.mktemp("project")
    for folder in ("src", "conf"):
        shutil.copytree(project / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "conf/model/voting.yaml").write_text(VOTING_YAML)
    (place / "src/tradeoffs/models/classification/voting.py").write_text(VOTING)
    paths = os.pathsep.join([str(place / "src"), str(project / "tests")])
    command = [sys.executable, "-c", COMMANDS, photos, place / "runs/toy"]
    subprocess.run(command, check=True, cwd=place, env=os.environ | {"PYTHONPATH": paths})
    return place / "runs"


def test_a_model_may_declare_another_one(votes: Path):
    table = pd.read_csv(votes / "table.csv", index_col=0).set_index("num_votes")
    assert sorted(table.index) == [1, 2, 3, 4]
    places = {1: "evaluations/num_votes=1,3/num_votes=1", 2: "evaluations/num_votes=2", 4: "."}
    records = {value: read_record(votes / "toy" / place / "result.json") for value, place in places.items()}
    assert [record.config["model"]["num_votes"] for record in records.values()] == [1, 2, 4]
    assert records[1].cost["batches"]["1"]["total_ms"]["median"] > 0 and table.loc[[1, 3], "ms"].notna().all()
    assert "operating_point" not in records[4].config["model"]
    assert "Accuracy and time by votes" in (votes / "report.html").read_text(encoding="utf-8")
