"""What the page of a run says beside its numbers."""

import pytest
from dashboard_runs import write_run

from tradeoffs.dashboard.pages.run import doubts
from tradeoffs.results.record import read_record


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
