"""Whatever a task is, all commands work with it: tasks are found by their YAML files, and one run of each is shared.

So are models that learn from other annotations than their task says.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
import small_runs
import yaml
from killed_runs import run_until_killed
from model_contracts import NARROW
from omegaconf import OmegaConf

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.commands.predict import predict
from tradeoffs.dashboard.export import report
from tradeoffs.dashboard.pages import compare, figures
from tradeoffs.dashboard.pages import run as run_page
from tradeoffs.dashboard.pictures import draw, names_of
from tradeoffs.dashboard.store import Store
from tradeoffs.files import CONF
from tradeoffs.metrics.evidence import evidence_file, load_evidence
from tradeoffs.model_facts import usual_of
from tradeoffs.results.__main__ import main
from tradeoffs.results.record import read_record
from tradeoffs.runs.load import load
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check
from tradeoffs.task_facts import all_tasks, scores_of


class Case(NamedTuple):
    task: str
    model: str | None

    def __str__(self) -> str:
        return "-".join(filter(None, self))


def cases() -> list[Case]:
    """The usual model of each task, and those that ask for annotations of their own."""
    usual = [Case(task, facts.usual.get("model")) for task, facts in sorted(all_tasks().items())]
    files = {file.stem: yaml.safe_load(file.read_text()) for file in sorted((CONF / "model").glob("*.yaml"))}
    return usual + [Case(said["task"], model) for model, said in files.items() if "annotations" in said]


def choices(case: Case) -> tuple[str, ...]:
    """What makes a small run one of this task."""
    usual = all_tasks()[case.task].usual | usual_of(case.model) | ({"model": case.model} if case.model else {})
    narrow = [f"model.{text}" for text in NARROW.get(case.model, [])]
    narrow += ["model.score_threshold=0"] if narrow else []  # untrained scores are low
    return (f"task={case.task}", *(f"{key}={usual[key]}" for key in ("model", "augmentation") if key in usual), *narrow)


@pytest.fixture(scope="module", params=cases(), ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def task(case: Case) -> str:
    return case.task


@pytest.fixture(scope="module")
def words(case: Case) -> tuple[str, ...]:
    return choices(case)


@pytest.fixture(scope="module")
def run(words: tuple[str, ...], photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    small_runs.run(photos, folder, *words, "measure=true")
    return folder


def test_the_record_holds_what_the_task_declares(task, run):
    record = read_record(run / "result.json")
    assert record.status == "finished" and record.who.task == task
    assert scores_of(task).keys() <= record.accuracy["summary"].keys()
    assert (
        record.score == record.accuracy["summary"][record.headline]
        and scores_of(task)[record.headline].better == "high"
    )
    evidence = load_evidence(evidence_file(run))
    for name, value in evidence.score().items():
        assert value == pytest.approx(record.accuracy["summary"][name], nan_ok=True)
        low, high = record.accuracy["intervals"][name]
        assert low is None or low <= record.accuracy["summary"][name] <= high
    assert record.cost["batches"]["1"]["total_ms"]["median"] > 0
    assert (run / "pictures/best.jpg").is_file() and (run / "predictions.json").stat().st_size > 2


def test_killed_and_started_again_equals_uninterrupted(words, photos, tmp_path):
    folders = [tmp_path / "whole", tmp_path / "killed"]
    run_until_killed(photos, folders[1], 4, *words)  # in the second epoch
    for folder in folders:
        small_runs.run(photos, folder, *words)
    whole, killed = ((read_record(folder / "result.json"), small_runs.curves(folder)) for folder in folders)
    assert whole[0].accuracy == killed[0].accuracy and whole[1] == killed[1]
    assert len({(folder / "predictions.json").read_bytes() for folder in folders}) == 1


def test_it_is_scored_again_and_used(task, run, photos, tmp_path):
    run = Path(shutil.copytree(run, tmp_path / "run"))
    config = compose("evaluate", [f"run={run}", "trainer.accelerator=cpu"])
    check(config)
    evaluate(config)
    own, again = (read_record(folder / "result.json") for folder in (run, run / "evaluations/default"))
    assert own.accuracy == again.accuracy
    config = compose("predict", [f"run={run}", f"source={photos}/val", f"output={tmp_path}/out", "device=cpu"])
    check(config)
    predict(config)
    assert len(list((tmp_path / "out/pictures").iterdir())) == len(list((photos / "val").iterdir()))
    assert load(run, device="cpu")(next((photos / "val").iterdir())).drawn().shape[0] == 3


def test_it_stands_in_tables_and_on_the_dashboard(task, run, capsys):
    assert main([str(run.parent)]) == 0
    shown = capsys.readouterr().out
    assert f"{task}," in shown and all(name in shown for name in list(scores_of(task))[:2])
    store = Store(run.parent)
    (name,) = store.table().index
    for page in (run_page.content(store, name), figures.content(store, {}), [report(store, {})]):
        assert "Traceback" not in str(page) and name in str(page)
    assert draw(store, name, next(iter(names_of(store, name))))[:2] == b"\xff\xd8"


def test_two_runs_compare_image_by_image(words, run, photos, tmp_path):
    shutil.copytree(run, tmp_path / "one")
    small_runs.run(photos, tmp_path / "two", *words, "seed=2")
    text = str(compare.content(Store(tmp_path), "one", "two"))
    assert "over the images" in text and "How sure differences" not in text


def test_what_only_the_task_chooses_is_no_part_of_the_name(task):
    config = compose("train", [f"task={task}"])
    assert OmegaConf.select(config, "task.scores") is None
    assert config.name == ("default" if task == "detection" else f"task={task}")
