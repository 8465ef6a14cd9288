"""Detectors that get their regions from outside, from data to record, prediction and times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from killed_runs import run_until_killed
from omegaconf import OmegaConf
from small_runs import checkpoint, run, settings, write_data

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.errors import UserError
from tradeoffs.proposals.proposer import Proposed
from tradeoffs.results.columns import COLUMNS
from tradeoffs.results.record import read_record
from tradeoffs.runs.load import load
from tradeoffs.runs.proposals import proposer_of
from tradeoffs.settings.compose import compose
from tradeoffs.settings.rules import check

TARGET = "tradeoffs.runs.rpn_proposals.RPNProposals"
RCNN = (
    *("model=rcnn", "proposals=random", "proposals.count=30", "model.crop_size=32", "model.context=4"),
    *("model.num_proposals=20", "model.train_proposals=30", "model.sampled=8", "batch_size=2"),
    "model.pairs_from=0.2",
)
FAST_RCNN = (
    *("model=fast_rcnn", "proposals=sliding_window", "model.crop_size=4", "model.sampled=8"),
    *("model.score_threshold=0", "model.num_proposals=40", "model.train_proposals=40", "batch_size=2", "epochs=1"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an R-CNN that was trained without an interruption, and timed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(data, folder, *RCNN, f"data_dir={folder.parent / 'kept'}", "keep_last=true", "measure=true")
    return folder


def test_what_each_stage_took_and_gave_is_on_record(whole: Path):
    record = read_record(whole / "result.json")
    descent, svms, boxes = record.training["stages"]
    assert [descent["name"], svms["name"], boxes["name"]] == ["descent", "svms", "box_regression"]
    assert record.training["seconds"] == pytest.approx(sum(stage["seconds"] for stage in (descent, svms, boxes)))
    assert 0 <= svms["before"] <= 1 and 0 <= boxes["before"] <= 1
    assert checkpoint(whole, "svms.ckpt")["state_dict"]["model.has_svms"]
    last, best = checkpoint(whole, "box_regression.ckpt"), checkpoint(whole, "best.ckpt")
    torch.testing.assert_close(last["state_dict"], best["state_dict"], rtol=0, atol=0)
    assert best["state_dict"]["model.boxes.weight"].any()


def test_killed_in_every_part_it_ends_with_the_same_record(data: Path, whole: Path, tmp_path: Path):
    folder, same = tmp_path / "killed", (*RCNN, "keep_last=true", f"data_dir={tmp_path / 'kept'}")
    for moment in (3, 8, 11, "svms", "box_regression"):
        run_until_killed(data, folder, moment, *same, "checkpoint_minutes=1e-9")
    run(data, folder, *same, "checkpoint_minutes=1e-9")
    assert (folder / "predictions.json").read_bytes() == (whole / "predictions.json").read_bytes()
    found, expected = read_record(folder / "result.json"), read_record(whole / "result.json")
    assert found.accuracy == expected.accuracy
    scores = [[stage.get("before") for stage in record.training["stages"]] for record in (found, expected)]
    assert scores[0] == scores[1]


def test_files_of_stages_are_gone_in_the_end(data: Path, tmp_path: Path):
    run(data, tmp_path / "run", *RCNN, "epochs=1", "model.svms=false", f"data_dir={tmp_path}")
    assert {path.name for path in (tmp_path / "run/checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert len(read_record(tmp_path / "run/result.json").training["stages"]) == 2
    assert checkpoint(tmp_path / "run", "best.ckpt")["state_dict"]["model.boxes.weight"].any()
    assert not checkpoint(tmp_path / "run", "last.ckpt")["state_dict"]["model.boxes.weight"].any()


def test_a_fourth_clock_times_the_proposals(whole: Path):
    record = read_record(whole / "result.json")
    for batch in record.cost["batches"].values():
        clocks = (batch[name]["samples"] for name in ("proposals_ms", "network_ms", "postprocessing_ms", "total_ms"))
        for proposals, network, after, total in zip(*clocks, strict=True):
            assert batch["regions_per_image"] > 10
            assert proposals > 0 and total == pytest.approx(proposals + network + after, abs=1e-3)
    assert record.cost["protocol"]["proposals"]["name"] == record.accuracy["proposals"]["name"] == "random"
    assert record.cost["protocol"]["proposals"]["device"] == "cpu"
    assert COLUMNS["proposals_ms"].read(record) == record.cost["batches"]["1"]["proposals_ms"]["median"]


def test_fewer_proposals_are_scored_in_one_pass(whole: Path):
    config = compose("evaluate", [f"run={whole}", "num_proposals=[3,20]", "measure=false"])
    evaluate(config)
    few, all_of_them = (
        json.loads((Path(config.output) / f"num_proposals={n}/predictions.json").read_bytes()) for n in (3, 20)
    )
    assert len(few) < len(all_of_them)
    assert sorted(map(str, all_of_them)) == sorted(map(str, json.loads((whole / "predictions.json").read_bytes())))


def test_regions_of_another_algorithm_can_be_looked_at(data: Path, whole: Path, tmp_path: Path):
    words = [f"run={whole}", "proposals=sliding_window", f"output={tmp_path / 'other'}", "measure=false"]
    config = compose("evaluate", words)
    check(config)
    evaluate(config)
    assert read_record(tmp_path / "other/result.json").accuracy["proposals"]["name"] == "sliding_window"
    other = compose("predict", [f"run={whole}", "proposals=random", "proposals.count=5", f"source={data}"])
    assert (other.proposals.count, compose("predict", [f"run={whole}", f"source={data}"]).proposals.count) == (5, 30)


def test_new_images_get_their_regions_when_they_are_seen(data: Path, whole: Path):
    model = load(whole, min_score=0.0, device="cpu")
    found = model(data / "val" / "1.png")
    saved = [row for row in json.loads((whole / "predictions.json").read_bytes()) if row["image_id"] == 10]
    assert len(found) == len(saved) > 0
    expected = sorted(row["score"] for row in saved)
    torch.testing.assert_close(found.scores.sort().values, torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_trained_network_proposes_for_another(data: Path, tmp_path: Path):
    first = ("model=faster_rcnn", "model.crop_size=4", "model.num_proposals=20", "model.sampled=8", "epochs=1")
    run(data, tmp_path / "first", *first)
    second = ("model=fast_rcnn", "proposals=rpn", f"proposals.run={tmp_path / 'first'}", "proposals.count=25")
    rest = ("model.crop_size=4", "model.sampled=8", "model.num_proposals=25", "batch_size=2", "epochs=1")
    run(data, tmp_path / "second", *second, *rest, f"data_dir={tmp_path}")
    proposer = proposer_of(settings(data, tmp_path / "second", *second, *rest))
    image = torch.randint(0, 256, (3, 50, 70), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    proposed = proposer(image)
    assert isinstance(proposed, Proposed) and 0 < len(proposed.boxes) <= 25
    assert (proposed.boxes >= 0).all() and (proposed.boxes[:, 2] <= 70).all() and (proposed.boxes[:, 3] <= 50).all()
    assert proposer.identity == proposer_of(settings(data, tmp_path / "third", *second, *rest)).identity
    folder = next((tmp_path / "proposals").glob("rpn-*"))
    assert json.loads((folder / "identity.json").read_text())["weights"] == proposer.identity["weights"]


def test_one_that_proposes_nothing_is_no_proposer(whole: Path):
    config = {"proposals": {"_target_": TARGET, "run": str(whole)}}
    with pytest.raises(UserError, match="has no region proposal network; give a run of model=faster_rcnn"):
        proposer_of(OmegaConf.create(config))(torch.zeros(3, 8, 8).byte())


def test_layers_are_cut_down_in_evaluation(data: Path, tmp_path: Path):
    run(data, tmp_path / "run", *FAST_RCNN, "model.fully_connected=[16]", f"data_dir={tmp_path}")
    scores = {}
    for svd in ("null", "[16]", "[1]"):
        output = tmp_path / f"with{len(scores)}"
        words = [f"run={tmp_path / 'run'}", f"model.svd={svd}", f"output={output}", "measure=false"]
        evaluate(compose("evaluate", words))
        scores[svd] = [row["score"] for row in json.loads((output / "predictions.json").read_bytes())]
    assert scores["[16]"] == pytest.approx(scores["null"], abs=1e-4)  # of full rank nothing is lost
    assert scores["[1]"] != pytest.approx(scores["null"], abs=1e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["experiment=bccd", "model=fast_rcnn"], "model=fast_rcnn needs regions from outside; add proposals=, one of"),
        (["model=ssd", "proposals=random"], "proposals= is for models that need regions: fast_rcnn, rcnn, sppnet"),
        (["model=fast_rcnn", "model.svd=[8]"], "model.svd is for trained networks: evaluate.py"),
    ],
)
def test_what_does_not_go_together(words, message):
    with pytest.raises(UserError, match=message):
        check(compose("train", [*words, "name=x"]))


def test_a_model_chooses_proposals_by_itself():
    assert compose("train", ["model=sppnet", "name=x"]).proposals.mode == "fast"
    assert "proposals" not in compose("train", ["model=ssd", "name=x"])
