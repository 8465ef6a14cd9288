"""Scoring one checkpoint with several numbers of proposals in one pass."""

from pathlib import Path

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
    with pytest.raises(UserError, match="num_proposals= is for models with proposals: faster_rcnn, mask_rcnn, rfcn"):
        evaluated(finished_run, "num_proposals=10")
