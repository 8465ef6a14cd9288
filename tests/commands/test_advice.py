"""What a run that hardly learned says last."""

from pathlib import Path

import pytest

from tradeoffs.commands.report import show
from tradeoffs.results.record import Identity, Record


def last_line(capsys, score: float, training: dict, config: dict) -> str:
    who = Identity("a", "detection", "ssd", "mobilenet", "shapes", 128, 1, "hash")
    record = Record(who, accuracy={"summary": {"mAP": score}, "per_class": []}, training=training, config=config)
    show(record, Path("runs/a"))
    return capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    ("score", "steps", "weights", "line"),
    [
        (0.013, 48, "none", "48 steps, mAP 0.013: hardly trained; try epochs=63 or backbone.weights=pretrained"),
        (0.013, 48, "pretrained", "48 steps, mAP 0.013: hardly trained; try epochs=63"),
        (
            0.013,
            2000,
            "a.safetensors",
            "mAP 0.013 after 2,000 steps: next to nothing was learned; try another optimizer.lr=",
        ),
        (0.4, 48, "none", "runs/a/ holds"),
    ],
)
def test_a_training_says_what_to_try(capsys, score, steps, weights, line):
    config = {"epochs": 3, "backbone": {"weights": weights}}
    assert last_line(capsys, score, {"steps": steps}, config) == line


@pytest.mark.parametrize(("training", "config"), [({}, {"epochs": 3, "backbone": {}}), ({"steps": 48}, {})])
def test_an_evaluation_and_an_old_record_say_no_more_than_what_is(capsys, training, config):
    assert "try" not in last_line(capsys, 0.013, training, config)
