"""What an address says, and which runs it shows."""

import pytest
from dashboard_runs import write_run

from tradeoffs.dashboard import address, filters, listing, notes
from tradeoffs.dashboard.export import report
from tradeoffs.dashboard.pages import figures, table
from tradeoffs.dashboard.pages.controls import with_settings
from tradeoffs.dashboard.store import Store

VIEWS = [
    {},
    {"backbone": ["mobilenet", "resnet101"], "seed": ["1"]},
    {"run": ["sweep/model=ssd,backbone=a&b#?ä%2e"]},
    {"data": [""]},
]


@pytest.mark.parametrize("view", VIEWS)
def test_an_address_carries_a_view(view):
    text = address.write(view)
    assert address.read(text) == view
    assert not set(text[1:]) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=&%.-~")


def test_changes_replace_add_and_take_away():
    view = address.changed({"x": ["ms"], "seed": ["1", "2"]}, x=None, y="mAP", seed=["3"])
    assert view == {"seed": ["3"], "y": ["mAP"]}


def test_values_of_a_filter_stand_in_order(grid):
    assert filters.options(grid.table(), "image_size") == ["300", "600"]
    assert filters.options(grid.table(), "sweep") == ["grid", "points"]


def test_filters_and_seeds(grid):
    view = {"model": ["ssd"], "image_size": ["300"]}
    assert len(filters.selected(grid.table(), view)) == 4
    assert filters.shown(grid.table(), view)["seeds"].tolist() == [2, 2]
    assert len(filters.shown(grid.table(), {**view, "average": [""]})) == 4


@pytest.fixture
def mixed(runs):
    for number in range(3):
        write_run(runs, f"cpu{number}", device="a processor")
    write_run(runs, "gpu", device="a GPU")
    write_run(runs, "photos", data="photos", device="a GPU")
    for number in range(9):
        write_run(runs, f"timed{number}", None, data="nothing scored", device="a GPU", trained=False)
    return Store(runs)


def test_the_default_is_what_has_most_scores(mixed):
    assert filters.defaults(mixed.table(), {}) == {"data": ["shapes"], "device": ["a processor, 2 threads"]}
    assert sorted(filters.shown(mixed.table(), {})["name"]) == ["cpu0", "cpu1", "cpu2"]
    assert len(filters.selected(mixed.table(), {"data": [""], "device": [""]})) == 14


def test_the_default_is_among_what_the_filters_leave(mixed, runs):
    """`photos` was run on a GPU alone, though most runs were on the processor."""
    write_run(runs, "elsewhere", None, data="photos", device="another GPU")
    table = Store(runs).table()
    assert filters.defaults(table, {"data": ["photos"]}) == {"device": ["a GPU"]}
    assert filters.defaults(table, {"data": ["photos"], "device": ["another GPU"]}) == {}
    assert filters.defaults(table, {"data": ["a misspelt one"]}) == {}
    assert list(filters.selected(table, {"data": ["photos"]}).index) == ["photos"]


def test_what_the_defaults_hide_is_said(mixed):
    data, device = notes.hidden(mixed.table(), {"seed": ["1"]})
    assert data == (
        "Not shown: 10 more runs of other data sets, nothing scored (9); photos (1).",
        {"seed": ["1"], "data": [""]},
    )
    assert device.text == "Not shown: 1 more run from other devices, a GPU (1)."
    assert list(notes.hidden(mixed.table(), {"data": ["shapes"], "device": [""]})) == []
    assert "Not shown: 10 more runs" in report(mixed, {})


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ({"data": ["shape"]}, "data=shape is that of no run; there are: nothing scored, photos, shapes."),
        ({"modl": ["ssd"]}, "modl= is no filter, and was not used."),
        ({"figure": ["pie"]}, "figure=pie is none; there are: frontier, backbone"),
        ({"x": ["beauty"]}, "x=beauty cannot be chosen, and was not used."),
    ],
)
def test_what_an_address_names_in_vain_is_said(mixed, view, said):
    assert notes.in_vain(mixed.table(), {"seed": ["1"], "columns": ["ms"]}) == []
    (text,) = notes.in_vain(mixed.table(), view)
    assert text.startswith(said)
    assert text in str(figures.content(mixed, view)) and text in str(table.content(mixed, view))


def test_mixtures_are_told_and_kept_apart(mixed):
    rows = filters.selected(mixed.table(), {"data": ["shapes", "photos"], "device": [""]})
    assert "2 data sets and 2 devices" in filters.mixture(rows, timed=True)
    assert "devices" not in filters.mixture(rows, timed=False)
    assert {title: len(group) for title, group in filters.panels(rows, timed=True)} == {
        "detection on shapes, a processor, 2 threads": 3,
        "detection on shapes, a GPU": 1,
        "detection on photos, a GPU": 1,
    }


def test_only_what_is_not_usual_enters_the_address(mixed):
    table = mixed.table()
    assert with_settings(table, {}, {"data": ["shapes"], "average": ["yes"], "x": "ms", "seed": []}) == {}
    chosen = with_settings(table, {}, {"data": [], "average": [], "x": "memory", "seed": ["1"]})
    assert chosen == {"data": [""], "average": [""], "x": ["memory"], "seed": ["1"]}


def test_runs_are_called_by_their_own_name_if_it_is_one(runs):
    for run in ("first try", "a/twice", "b/twice", "model=ssd,backbone=mobilenet,lr=1"):
        write_run(runs, run)
    rows = Store(runs).table()
    found = dict(zip(rows.index, listing.names(rows), strict=True))
    assert found.pop("first try") == "first try"
    assert "lr=1" in found.pop("model=ssd,backbone=mobilenet,lr=1")
    assert found == {"a/twice": "ssd mobilenet a/twice", "b/twice": "ssd mobilenet b/twice"}


def test_kinds_of_records(runs):
    write_run(runs, "own")
    write_run(runs, "own/evaluations/again", 0.4, own=False)
    write_run(runs, "benchmark/grid/fast", None)
    table = Store(runs).table()
    assert table["kind"].to_dict() == {
        "own": "training",
        "own/evaluations/again": "evaluation",
        "benchmark/grid/fast": "benchmark",
    }
    assert table["sweep"].to_dict() == {"own": "", "own/evaluations/again": "", "benchmark/grid/fast": "benchmark/grid"}
