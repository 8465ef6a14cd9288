"""Tables ready to be pasted."""

import csv
import io

import pytest
from dashboard_runs import write_run

from tradeoffs.results.__main__ import main
from tradeoffs.results.formats import comma_separated, latex, markdown

COLUMNS = {"model": ["faster_rcnn", "a|b & 50%"], "mAP": ["0.5±0.1", "0.01?"], "best": ["*", "~"]}


def test_markdown():
    assert markdown("shapes", COLUMNS, ["model"], ["? hardly <trained>"]).splitlines() == [
        "**shapes**",
        "",
        "| model | mAP | best |",
        "| --- | ---: | ---: |",
        r"| faster_rcnn | 0.5±0.1 | \* |",
        r"| a\|b & 50% | 0.01? | ~ |",
        "",
        r"? hardly \<trained>",
    ]


def test_latex():
    assert latex("shapes", COLUMNS, ["model"], ["5 % of #1"]).splitlines() == [
        "% shapes",
        r"\begin{tabular}{lrr}",
        r"\hline",
        r"model & mAP & best \\",
        r"\hline",
        r"faster\_rcnn & 0.5$\pm$0.1 & * \\",
        r"a|b \& 50\% & 0.01? & \textasciitilde{} \\",
        r"\hline",
        r"\end{tabular}",
        r"\par 5 \% of \#1",
    ]


def test_comma_separated_values_are_read_back():
    (head, *rows) = csv.reader(io.StringIO(comma_separated("shapes, a processor", COLUMNS, [], [])))
    assert head == ["of", *COLUMNS]
    assert rows == [["shapes, a processor", *row] for row in zip(*COLUMNS.values(), strict=True)]


STARTS = {"markdown": "**detection", "latex": "% detection", "csv": "of,model"}


@pytest.mark.parametrize(("form", "start"), STARTS.items())
def test_the_command_prints_all_columns_however_narrow_the_terminal(tmp_path, capsys, monkeypatch, form, start):
    monkeypatch.setenv("COLUMNS", "40")
    for model, score in (("ssd", 0.3), ("fcos", 0.01)):
        write_run(tmp_path, model, score, model=model)
    assert main([str(tmp_path), "--format", form]) == 0
    out = capsys.readouterr().out
    assert out.startswith(start)
    assert all(text in out for text in ("fcos", "0.010?", "MB peak", "AP50"))
