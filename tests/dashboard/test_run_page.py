"""What the page of a run says beside its numbers."""

import pytest
import small_runs
import yaml
from dashboard_runs import write_run, write_scored

from tradeoffs.dashboard.pages.run import PlainNumbers, doubts, images
from tradeoffs.dashboard.store import Store
from tradeoffs.results.record import read_record


def test_settings_are_written_in_plain_numbers():
    settings = {"lr": 1e-5, "decay": 0.006000000001, "whole": 3.0, "none": float("nan")}
    text = yaml.dump(settings, Dumper=PlainNumbers, sort_keys=False)
    assert text == "lr: 0.00001\ndecay: 0.006\nwhole: 3.0\nnone: .nan\n"


@pytest.mark.parametrize(
    ("cost", "beginnings"),
    [
        ({}, []),
        ({"trained": False}, ["Random weights: "]),
        ({"other_load": 0.4}, ["These times are disturbed: other programs took 40% of the processor; evaluate.py"]),
    ],
)
def test_times_are_doubted(runs, cost, beginnings):
    record = read_record(write_run(runs, "one") / "result.json")
    record.cost |= cost
    said = list(doubts(record))
    assert len(said) == len(beginnings) and all(map(str.startswith, said, beginnings))


def test_images_are_called_by_their_files(runs, tmp_path):
    write_scored(runs, "one", small_runs.write_data(tmp_path / "data"), shift=1)
    said = str(list(images(Store(runs), "one")))
    assert "1.png: 0 missed, 0 false" in said and "in the colour of its class" in said and "image 10" not in said
