"""What is shown of a sweep's runs."""

import pytest

from tradeoffs.results.record import Identity, Record
from tradeoffs.sweeps.overview import cells, result_line


@pytest.mark.parametrize(
    ("score", "disturbed", "load", "line", "shown"),
    [
        (0.4, False, 0.0, "mAP 0.400, 8.0 ms", ["0.400", "8.0"]),
        (0.4, True, 0.0, "mAP 0.400, 8.0! ms", ["0.400", "8.0!"]),
        (0.4, False, 0.5, "mAP 0.400, 8.0! ms", ["0.400", "8.0!"]),
        (0.013, False, 0.0, "mAP 0.013?, 8.0 ms", ["0.013?", "8.0"]),
    ],
)
def test_doubtful_numbers_are_marked(score, disturbed, load, line, shown):
    who = Identity("a", "detection", "ssd", "mobilenet", "shapes", 128, 1, "hash")
    batch = {"total_ms": {"median": 8.0}, "disturbed": disturbed}
    record = Record(who, accuracy={"summary": {"mAP": score}}, cost={"batches": {"1": batch}, "other_load": load})
    assert result_line(record) == line
    assert cells(record)[1:3] == shown
