import io
import runpy

import pytest
from rich.console import Console

from tradeoffs.measure.timer import Timing


@pytest.fixture
def table(project) -> dict:
    return runpy.run_path(str(project / "benchmarks" / "table.py"))


def test_rows_show_numbers_spread_and_goal(table):
    text = io.StringIO()
    rows = [
        {
            "name": "predict",
            "ours": 200.0,
            "theirs": 300.0,
            "unit": "ms",
            "ratio": 1.5,
            "low": 1.4,
            "high": 1.6,
            "goal": 1.2,
        },
        {"name": "step", "ours": 8.0, "theirs": 8.0, "unit": "s", "ratio": 1.0, "low": 0.9, "high": 1.1, "goal": 1.15},
        {"name": "loader", "ours": 123.456, "theirs": 61.7, "unit": "images/s", "ratio": 2.0},
    ]
    table["print_table"](rows, "title", Console(file=text, width=120))
    lines = [" ".join(line.replace("│", " ").split()) for line in text.getvalue().splitlines()]
    assert "predict 200 300 ms 1.50 1.40 to 1.60 1.2 met" in lines
    assert "step 8 8 s 1.00 0.90 to 1.10 1.15 missed" in lines
    assert "loader 123.5 61.7 images/s 2.00 - -" in lines


def test_a_comparison_of_timings_is_a_row(table):
    row = table["compare"]("predict", Timing((1.0, 2.0, 3.0)), Timing((3.0, 3.0, 3.0)), goal=1.2)
    assert row["name"] == "predict" and row["unit"] == "ms" and row["goal"] == 1.2
    assert (row["ours"], row["theirs"]) == (2.0, 3.0)
    assert (row["ratio"], row["low"], row["high"]) == pytest.approx((1.5, 1.1, 2.7))  # of 3, 1.5 and 1
