"""What regions find: read from files that may be damaged, drawn only beside what was scored on the same images."""

import json
import math

import pytest
from dashboard_runs import write_proposals, write_run

from tradeoffs.dashboard import proposal_figures
from tradeoffs.dashboard import store as store_module
from tradeoffs.dashboard.export import drawings, report
from tradeoffs.dashboard.pages import proposals as page_of
from tradeoffs.dashboard.store import Store

RECALL = {1: 0.1, 10: 0.4, 1000: 0.8}
OTHER_HASH = {"name": "shapes", "split": "val", "val": "f" * 16}
TIMED = {"median": 12.5, "images": 5, "where": {"device": "a <b>processor</b>"}}


@pytest.fixture
def store(runs, monkeypatch) -> Store:
    monkeypatch.setattr(store_module, "LOOK_EVERY", 0.0)
    return Store(runs)


def drawn(store: Store, **view: str) -> list[dict]:
    """The lines of both figures of each panel, by name."""
    found = proposal_figures.drawings(store.proposals()[0], {key: [value] for key, value in view.items()})
    return [{key: {line.name: line for line in figure.data} for key, figure in pair.items()} for _, pair in found]


@pytest.mark.parametrize(
    ("measure", "recalls"), [("0.5", [0.1, 0.4, 0.8]), ("0.7", [0.05, 0.2, 0.4]), ("average", [0.075, 0.3, 0.6])]
)
def test_recall_by_the_number_of_regions(store, runs, measure, recalls):
    write_proposals(runs / "proposals/one", RECALL)
    (lines,) = drawn(store, recall=measure)
    line = lines["recall"]["random"]
    assert (list(line.x), list(line.y)) == ([1, 10, 1000], pytest.approx(recalls))


@pytest.mark.parametrize(
    ("regions", "recalls"), [("", [0.8, 0.4]), ("1000", [0.8, 0.4]), ("10", [0.4, 0.2]), ("9", [0.8, 0.4])]
)
def test_recall_by_iou(store, runs, regions, recalls):
    write_proposals(runs / "proposals/one", RECALL)
    (lines,) = drawn(store, regions=regions)
    line = lines["recall_iou"]["random"]
    assert (list(line.x), list(line.y)) == ([0.5, 0.7], pytest.approx(recalls))


def test_only_what_all_were_scored_with_can_be_chosen(store, runs):
    write_proposals(runs / "proposals/one", RECALL)
    write_proposals(runs / "proposals/two", {1: 0.1, 20: 0.4})
    assert proposal_figures.offered(store.proposals()[0])["regions"] == ["1"]
    assert [line.y[0] for line in drawn(store)[0]["recall_iou"].values()] == [0.1, 0.1]
    write_proposals(runs / "proposals/two", {20: 0.4})
    assert [list(pair) for pair in drawn(store)] == [["recall"]]
    assert "random" in str(page_of.content(store, {}))


@pytest.mark.parametrize(
    "changes",
    [
        {"data": OTHER_HASH},
        {"data": {"name": "shapes", "split": "train", "train": "0123456789abcdef"}},
        {"data": {"name": "shapes", "split": "val", "val": None}},
        {"images": 4},
        {"objects": 7},
    ],
)
def test_other_images_are_never_in_one_panel(store, runs, changes):
    write_proposals(runs / "proposals/one", RECALL)
    write_proposals(runs / "proposals/same", RECALL, proposals={"name": "edge_boxes"})
    write_proposals(runs / "proposals/other", RECALL, **changes)
    assert sorted(len(each["recall"]) for each in drawn(store)) == [1, 2]
    assert "These are of 2 sets of images" in str(page_of.content(store, {}))


def test_data_without_a_hash_are_like_no_others(store, runs):
    for name in "ab":
        write_proposals(runs / f"proposals/{name}", RECALL, data={"name": "shapes", "split": "val", "val": None})
    assert [len(each["recall"]) for each in drawn(store)] == [1, 1]
    assert "(hash of the data: not known)" in str(page_of.content(store, {}))


def test_a_line_is_called_by_what_differs(store, runs):
    for seed in (0, 1):
        write_proposals(runs / f"proposals/{seed}", RECALL, proposals={"name": "random", "seed": seed, "count": 9})
    write_proposals(runs / "proposals/edges", RECALL, proposals={"name": "edge_boxes", "alpha": 0.65})
    (lines,) = drawn(store)
    assert list(lines["recall"]) == ["edge_boxes", "random, seed 0", "random, seed 1"]
    write_proposals(runs / "sub/proposals/again", RECALL, proposals={"name": "edge_boxes", "alpha": 0.65})
    names = list(drawn(store)[0]["recall"])
    assert names[:2] == ["edge_boxes in proposals/edges", "edge_boxes in sub/proposals/again"] and len(names) == 4


def test_looks_do_not_depend_on_the_data_shown(store, runs):
    write_proposals(runs / "proposals/one", RECALL, proposals={"name": "a"}, data={**OTHER_HASH, "name": "photos"})
    write_proposals(runs / "proposals/two", RECALL, proposals={"name": "b"})
    colours = {name: line.marker.color for pair in drawn(store) for name, line in pair["recall"].items()}
    ((name, line),) = drawn(store, data="shapes")[0]["recall"].items()
    assert name == "b" and line.marker.color == colours["b"] != colours["a"]


def test_times_stand_in_what_pointing_shows(store, runs):
    write_proposals(runs / "proposals/one", RECALL, milliseconds_per_image=TIMED)
    write_proposals(runs / "proposals/two", RECALL, proposals={"name": "<i>"})
    (lines,) = drawn(store)
    assert "1,000 regions an image<br>12.5 ms an image on a &lt;b&gt;" in lines["recall"]["random"].text[0]
    assert lines["recall"]["&lt;i&gt;"].text[0].endswith("not timed")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": "five"}, "images is 'five'"),
        ({"objects": -1}, "objects is -1"),
        ({"objects": True}, "objects is True"),
        ({"regions_per_image": math.nan}, "regions_per_image is nan"),
        ({"regions_per_image": 10**400}, "too large"),
        ({"proposals": {"seed": 0}}, "name is None"),
        ({"data": []}, "data.split is None"),
        ({"data": {"name": "shapes", "split": "val", "val": 3}}, "data.val is 3"),
        ({"milliseconds_per_image": {"median": 1.0}}, "milliseconds_per_image.where.device is None"),
        ({"by_count": [7]}, "regions is None"),
        ({"by_count": [{"regions": 1, "average recall": 0.1}]}, "of different commands"),
    ],
)
def test_a_damaged_summary_is_told(store, runs, changes, said):
    write_proposals(runs / "proposals/good", RECALL)
    write_proposals(runs / "proposals/bad", RECALL, **changes)
    table, (fault,) = store.proposals()
    assert set(table["folder"]) == {"proposals/good"}
    assert "proposals/bad/summary.json" in fault and said in fault and "\n" not in fault
    assert fault in str(page_of.content(store, {}))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("summary.json", "{", "is damaged"),
        ("summary.json", "", "is damaged"),
        ("summary.json", "[" * 100_000, "is damaged"),
        ("summary.json", None, "summary.json does not exist"),
        ("recall.csv", None, "recall.csv does not exist"),
        ("recall.csv", "", "No columns"),
        ("recall.csv", "n,recall\n1,0.5\n", "other columns"),
        ("recall.csv", "n,iou,recall\n", "is not whole"),
        ("recall.csv", "n,iou,recall\n1,0.50,0.1\n1,0.70,lots\n", "lots"),
        ("recall.csv", "n,iou,recall\n1,0.50,1.5\n1,0.70,0.05\n", "is not whole"),
        ("recall.csv", "n,iou,recall\n1,0.50,0.1\n1,0.70,0.05\n10,0.50,0.4\n", "is not whole"),
        ("recall.csv", "n,iou,recall\n1,0.50,0.1\n1,0.70,0.05\n", "of different commands"),
        ("recall.csv", "n,iou,recall\n1.5,0.50,0.1\n1.5,0.70,0.05\n", "is not whole"),
        ("recall.csv", "n,iou,recall\n" + 2 * "1,0.50,0.1\n1,0.70,0.05\n", "duplicate"),
        ("recall.csv", "n,iou,recall\n1,0.50,0.1\n1,2,3,4\n", "Expected 3 fields"),
        ("recall.csv", b"\xff\xfe\x00", "is damaged"),
    ],
)
def test_a_damaged_file_is_told(store, runs, name, text, said):
    file = write_proposals(runs / "proposals/bad", RECALL) / name
    if text is None:
        file.unlink()
    else:
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    table, (fault,) = store.proposals()
    assert table.empty and said in fault and "\n" not in fault
    assert "; type the same python -m tradeoffs.proposals again" in fault
    page = str(page_of.content(store, {}))
    assert fault in page and page_of.COMMAND in page


def test_links_lead_nowhere_else(store, runs, tmp_path):
    secret = write_proposals(tmp_path / "secret", RECALL)
    (runs / "proposals/stolen").mkdir(parents=True)
    (runs / "proposals/stolen/summary.json").symlink_to(secret / "summary.json")
    table, (fault,) = store.proposals()
    assert table.empty and "summary.json of proposals/stolen lies outside" in fault


def test_changes_are_seen_and_other_files_are_no_scores(store, runs):
    write_run(runs, "run")
    (runs / "run/summary.json").write_text(json.dumps({"of": "something else"}))
    version = store.refresh()
    assert store.proposals()[0].empty and store.proposals()[1] == []
    assert page_of.COMMAND in str(page_of.content(store, {}))
    write_proposals(runs / "proposals/one", RECALL)
    assert store.refresh() == version + 1 == store.refresh()
    assert list(store.table().index) == ["run"] and len(drawn(store)) == 1
    write_proposals(runs / "proposals/one", {1: 0.3}, images=7)
    assert store.refresh() == version + 2 and set(store.proposals()[0]["images"]) == {7}


def test_what_is_named_in_vain_is_said(store, runs):
    write_proposals(runs / "proposals/one", RECALL)
    view = {"recall": ["0.6"], "regions": ["1000"], "data": ["voc"]}
    assert proposal_figures.remarks(store.proposals()[0], view) == [
        "recall=0.6 cannot be chosen, and was not used.",
        "None is of data=voc; there are: shapes.",
    ]


def test_the_export_has_them(store, runs):
    write_run(runs, "run")
    assert proposal_figures.TITLE not in report(store, {}) and "recall" not in dict(drawings(store, {}))
    write_proposals(runs / "proposals/one", RECALL)
    (write_proposals(runs / "proposals/bad", RECALL) / "recall.csv").unlink()
    text = report(store, {})
    assert proposal_figures.TITLE in text and "shapes, val: 8 objects in 5 images" in text and "bad/recall.csv" in text
    assert {"recall", "recall_iou"} <= dict(drawings(store, {})).keys()
    write_proposals(runs / "proposals/bad", RECALL, data=OTHER_HASH)
    names = [name for name, _ in drawings(store, {}) if name.startswith("recall")]
    assert names == ["recall-1", "recall_iou-1", "recall-2", "recall_iou-2"]
