"""When a result is no result."""

import pytest

from tradeoffs.results.doubt import hardly_trained
from tradeoffs.results.record import Identity, Record


@pytest.mark.parametrize(
    ("score", "steps", "said"),
    [
        (0.013, 48, "48 steps, mAP 0.013: hardly trained"),
        (0.004, 5000, "mAP 0.004 after 5,000 steps: next to nothing was learned"),
        (0.0, None, "mAP 0.000: next to nothing was learned"),
        (0.35, 48, None),  # fine-tuned on few photos
        (0.05, 90_000, None),  # hard data
        (0.418, 144, None),
        (None, 48, None),
        (None, None, None),
    ],
)
def test_few_steps_with_a_low_score_or_no_score_at_all(score, steps, said):
    who = Identity("a", "detection", "ssd", "mobilenet", "shapes", 128, 1, "hash")
    record = Record(who, accuracy={"summary": {"mAP": score}}, training={} if steps is None else {"steps": steps})
    assert hardly_trained(record) == said


def test_an_accuracy_no_better_than_the_commonest_class_says_nothing():
    rows = [
        {"id": 1, "name": "a", "accuracy": 1.0, "instances": 60},
        {"id": 2, "name": "b", "accuracy": 0.0, "instances": 40},
    ]
    who = Identity("a", "classification", "classifier", "mobilenet", "shapes", 64, 1, "hash")
    record = Record(who, accuracy={"summary": {"top1": 0.6}, "per_class": rows}, training={"steps": 5000})
    assert hardly_trained(record) == "top1 0.600 after 5,000 steps: next to nothing was learned"
    record.accuracy["summary"]["top1"] = 0.7
    assert hardly_trained(record) is None
