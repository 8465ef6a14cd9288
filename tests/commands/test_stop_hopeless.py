"""Runs that end early because they are far behind the finished runs beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import small_runs
import torch

from tradeoffs.files import write_whole
from tradeoffs.measure.protocol import network_cost, prepare
from tradeoffs.results.record import Identity, Record, read_record, write_record
from tradeoffs.results.table import read_table
from tradeoffs.runs.build import build_task
from tradeoffs.runs.comparable import ComparableRuns
from tradeoffs.runs.data_hashes import data_now
from tradeoffs.training.stop_hopeless import verdict

EPOCHS = 6
WORDS = (f"epochs={EPOCHS}", "stop_hopeless=true")


def add_sibling(photos: Path, runs: Path, name: str, score: float = 0.9, **changes: object) -> None:
    """A finished run of one multiply-add, whose score never changed."""
    facts = {"multiply_adds": 1, "epochs": EPOCHS, "status": "finished", **changes}
    hashes = data_now(small_runs.settings(photos, runs / name)) | facts.get("data", {})
    who = Identity(name, "detection", "ssd", "any", "photos", 64, 1, "0")
    who.train_data, who.val_data = hashes["train"], hashes["val"]
    cost, config = {"multiply_adds": facts["multiply_adds"]}, {"epochs": facts["epochs"]}
    (runs / name).mkdir(parents=True)
    write_record(runs / name / "result.json", Record(who, facts["status"], cost=cost, config=config))
    rows = [f"{epoch},{score}\n{epoch},\n" for epoch in range(EPOCHS)]  # steps have no score
    write_whole(runs / name / "metrics.csv", "epoch,val/mAP\n" + "".join(rows))


def add_siblings(photos: Path, runs: Path) -> None:
    for number in range(5):
        add_sibling(photos, runs, f"sibling{number}")


FLAT = [{0: score, 1: score, 2: score} for score in (0.1, 0.2, 0.3, 0.4, 0.5)]


@pytest.mark.parametrize(
    ("best", "curves", "stops"),
    [
        (0.29, FLAT, True),
        (0.3, FLAT, False),
        (0.0, FLAT[:4], False),  # too few to judge by
        (0.29, [*FLAT, {}], True),  # one without validations does not count
        (0.11, [{0: 0.0, 1: 0.2, 2: 0.9}] * 5, False),  # their average after two epochs was 0.1
        (0.09, [{0: 0.0, 1: 0.2, 2: 0.9}] * 5, True),
    ],
)
def test_the_median_stopping_rule(best, curves, stops):
    assert bool(verdict("mAP", best, 2, curves)) == stops


def test_it_says_why():
    line = "mAP 0.290 after 2 epochs; 5 runs that cost no more had 0.300 on average by then; "
    assert verdict("mAP", 0.29, 2, FLAT) == line + "stop_hopeless=false goes on"


class TwelveMultiplyAdds(torch.nn.Conv2d):
    def __init__(self):
        super().__init__(3, 1, kernel_size=1, bias=False)

    def forward(self, images):
        return super().forward(images.float())  # of 2 x 2 pixels


def test_only_finished_runs_like_it_that_cost_no_more_are_compared(photos, tmp_path):
    add_sibling(photos, tmp_path, "cheaper", 0.1, multiply_adds=11)
    add_sibling(photos, tmp_path, "equal", 0.2, multiply_adds=12)
    add_sibling(photos, tmp_path, "dearer", multiply_adds=13)
    add_sibling(photos, tmp_path, "longer", epochs=EPOCHS + 1)
    add_sibling(photos, tmp_path, "elsewhere", data={"val": "0" * 16})
    add_sibling(photos, tmp_path, "failing", status="failed")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/result.json").write_text("{")
    config = small_runs.settings(photos, tmp_path / "run", *WORDS)
    curves = ComparableRuns(config, data_now(config)).curves(
        TwelveMultiplyAdds(), torch.ones(1, 3, 2, 2, dtype=torch.uint8)
    )
    assert curves == [dict.fromkeys(range(EPOCHS), 0.1), dict.fromkeys(range(EPOCHS), 0.2)]


def test_a_hopeless_run_is_stopped_stays_so_and_can_go_on(photos, tmp_path):
    add_siblings(photos, tmp_path)
    folder = tmp_path / "run"
    small_runs.run(photos, folder, *WORDS)
    record = read_record(folder / "result.json")
    assert (record.status, record.training["epochs"], record.cost) == ("stopped", 2, {})
    assert "5 runs that cost no more had 0.900 on average by then" in record.error
    assert record.accuracy["summary"]["mAP"] < 0.9
    assert read_table([folder]).table.loc[str(folder), "status"] == "stopped"

    before = small_runs.files(folder)
    small_runs.run(photos, folder, *WORDS)
    assert small_runs.files(folder) == before

    small_runs.run(photos, folder, WORDS[0])
    small_runs.run(photos, tmp_path / "elsewhere/whole", WORDS[0])
    assert read_record(folder / "result.json").status == "finished"
    assert small_runs.curves(folder) == small_runs.curves(tmp_path / "elsewhere/whole")


def test_a_run_as_good_as_others_goes_on(photos, tmp_path):
    for number in range(5):
        add_sibling(photos, tmp_path, f"sibling{number}", score=0.0)
    small_runs.run(photos, tmp_path / "run", *WORDS)
    assert read_record(tmp_path / "run/result.json").status == "finished"


def test_the_cost_is_counted_as_for_a_record(photos, tmp_path):
    """So a run is among those that cost no more than its equal."""
    config = small_runs.settings(photos, tmp_path / "run")
    model = build_task(config, num_classes=2).model
    image = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    siblings = ComparableRuns(config, {})
    siblings.curves(model, image)
    network = prepare(model, image, fuse=True, channels_last=True)
    assert siblings.cost == network_cost(model, network, image)["multiply_adds"]
