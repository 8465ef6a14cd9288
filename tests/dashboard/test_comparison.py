"""What differs between two runs, and mistakes image by image; values by hand."""

import numpy as np
import pytest
from dashboard_runs import write_run

from tradeoffs.dashboard.axes import setting
from tradeoffs.dashboard.comparison import different_data, different_settings, metric_rows
from tradeoffs.dashboard.store import Store
from tradeoffs.results.statistics import Interval, difference_over_seeds


def test_settings_that_differ():
    first = {"a": {"b": 1, "c": 2}, "d": [1], "name": "one"}
    second = {"a": {"b": 1, "c": 3}, "e": None, "d": [1], "f": 5, "name": "other"}
    assert different_settings(first, second) == [("a.c", 2, 3), ("f", None, 5)]


def test_settings_that_change_no_result_are_left_out():
    first = {"workers": 2, "logger": {"save_dir": "a"}, "data": {"root": "/a"}, "task": {"lr": 1}}
    second = {"workers": 4, "logger": {"save_dir": "b"}, "data": {"root": "/b"}, "task": {"lr": 2}}
    assert different_settings(first, second) == [("data.root", "/a", "/b"), ("task.lr", 1, 2)]
    assert different_settings(first, second, same_data=True) == [("task.lr", 1, 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (6e-3, "0.006"),
        (0.006000000001, "0.006"),
        (1e-5, "0.00001"),
        (0.1 + 0.2, "0.3"),
        (3.0, "3"),
        (12345678.0, "12345678"),
        (None, "-"),
        (True, "True"),
        ([0.9, 0.999], "[0.9, 0.999]"),
        (float("inf"), "inf"),
        ("adamw", "adamw"),
    ],
)
def test_settings_are_plain_numbers(value, text):
    assert setting(value) == text


def test_accuracies_on_other_images_do_not_compare(runs):
    for name, images in (("a", "a" * 16), ("b", "b" * 16), ("old", None)):
        write_run(runs, name, 0.3, 20, val_data=images)
    table = Store(runs).table()
    assert verdicts(table, "a", "b")["mAP"] == ["scored on other images, which do not compare"]
    assert verdicts(table, "a", "old")["mAP"] == ["whether on the same images is not known"]
    assert "as measurements of one model vary" in verdicts(table, "a", "b")["ms"][0]
    assert different_data(table.loc["a"], table.loc["b"]) == [("scored on", "aaaaaa", "bbbbbb")]


@pytest.fixture
def table(runs):
    for seed, score in enumerate((0.30, 0.31, 0.32)):
        write_run(runs, f"a{seed}", score, 20, seed=seed, recipe_hash="a")
        write_run(runs, f"b{seed}", score + 0.1, 40, seed=seed, recipe_hash="b")
    write_run(runs, "gpu", 0.3, 2, device="a GPU")
    return Store(runs).table()


def verdicts(table, first, second, images=None) -> dict[str, list[str]]:
    return {row.name: row.verdicts for row in metric_rows(table, table.loc[first], table.loc[second], images or {})}


def test_what_is_more_than_chance(table):
    found = verdicts(table, "a0", "b0", {"mAP": Interval(0.1, -0.01, 0.2)})
    assert found["mAP"][0].startswith("may be chance: +0.1") and found["mAP"][0].endswith("over the images")
    assert found["mAP"][1].startswith("better, more than chance: +0.1") and "over 3 and 3 seeds" in found["mAP"][1]
    assert found["ms"][0].startswith("worse, more than chance: +20")
    assert found["parameters"] == ["counted, not measured"]


def test_times_of_two_devices_do_not_compare(table):
    found = verdicts(table, "a0", "gpu")
    assert found["ms"] == ["on different devices, which do not compare"]
    assert found["mAP"] == []  # a single seed, and no images


def test_times_beside_other_work_do_not_compare(table, runs):
    table.loc["b0", "busy"] = True
    assert verdicts(table, "a0", "b0")["ms"] == ["cannot be compared: other programs were running"]


def test_times_taken_in_different_ways_do_not_compare(table):
    table.loc["b0", "protocol"] = "trained, float32, batch 32"
    found = verdicts(table, "a0", "b0")
    said = "timed in different ways (trained, float32, batch 8; trained, float32, batch 32), which do not compare"
    assert found["ms"] == found["memory"] == [said]
    assert found["parameters"] == ["counted, not measured"]


def test_welch():
    from scipy.stats import ttest_ind

    first, second = np.array([1.0, 2.0, 4.0]), np.array([3.0, 3.5, 5.0, 9.0])
    bounds = ttest_ind(second, first, equal_var=False).confidence_interval(0.95)
    np.testing.assert_allclose(difference_over_seeds(first, second)[1:], [bounds.low, bounds.high])
    assert difference_over_seeds(np.ones(2), np.full(2, 3.0)) == (2, 2, 2)
