"""Records are read once, changes are seen, and nothing outside the folder of runs is reached."""

import json

import pytest
from dashboard_runs import write_run

from tradeoffs.dashboard import store as store_module
from tradeoffs.dashboard.pages import compare, components
from tradeoffs.dashboard.store import Store
from tradeoffs.errors import UserError


@pytest.fixture
def store(runs, monkeypatch) -> Store:
    monkeypatch.setattr(store_module, "LOOK_EVERY", 0.0)
    write_run(runs, "sweep/one", 0.3)
    return Store(runs)


def test_changes_are_seen_and_nothing_is_read_twice(store, runs, monkeypatch):
    assert list(store.table().index) == ["sweep/one"]
    read = []
    monkeypatch.setattr(store_module, "record_and_row", lambda path: read.append(path.parent.name) or original(path))
    version = store.refresh()
    write_run(runs, "sweep/two", 0.4)
    assert store.refresh() == version + 1 == store.refresh()
    assert (read, len(store.table())) == (["two"], 2)
    (runs / "sweep/one/result.json").unlink()
    assert list(store.table().index) == ["sweep/two"]


original = store_module.record_and_row


def test_damaged_records_are_told_and_left_out(store, runs):
    for name, text in {"cut": "{", "strange": json.dumps({"schema_version": 2, "who": 3}), "empty": ""}.items():
        (runs / name).mkdir()
        (runs / name / "result.json").write_text(text)
    wrong = json.loads((runs / "sweep/one/result.json").read_text())
    wrong["cost"] = [1]
    (runs / "wrong").mkdir()
    (runs / "wrong/result.json").write_text(json.dumps(wrong))
    (runs / "loop").mkdir()
    (runs / "loop/result.json").symlink_to("result.json")
    assert list(store.table().index) == ["sweep/one"]
    assert len(store.faults()) == 5
    with pytest.raises(UserError, match="is damaged: cost is"):
        store.record_and_row("wrong")
    assert "is damaged" in str(compare.content(store, "sweep/one", "wrong"))


def test_no_folder_and_an_empty_one(tmp_path):
    assert Store(tmp_path / "nowhere").table().empty
    assert Store(tmp_path).table().empty


def test_runs_at_work_are_told_until_one_is_finished(tmp_path):
    store = Store(tmp_path)
    assert "No runs in" in str(components.no_runs(store)) and components.FIRST_COMMAND in str(components.no_runs(store))
    for name, said in (("one", "1 run is at work; it appears when"), ("sweep/two", "2 runs are at work; each appears")):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        (tmp_path / name / "config.yaml").touch()
        (tmp_path / name / "metrics.csv").touch()
        assert said in str(components.no_runs(store))
    write_run(tmp_path, "three")
    (tmp_path / "sweep" / "config.yaml").touch()
    assert store.unfinished() == 2


@pytest.mark.parametrize(
    "name",
    ["..", "../secret", "sweep", "sweep/../sweep/one", "/etc", ".", "", "sweep/one\0", "%2e%2e/secret", "linked"],
)
def test_only_runs_have_files(store, runs, tmp_path, name):
    write_run(tmp_path, "secret")
    (runs / "linked").symlink_to(tmp_path / "secret")
    store.refresh()
    with pytest.raises(UserError):
        store.file(name, "config.yaml")
    with pytest.raises(UserError):
        store.record_and_row(name)


def test_links_lead_nowhere_else(store, runs, tmp_path):
    (tmp_path / "secret.csv").write_text("step,loss\n1,2\n")
    (runs / "sweep/one/metrics.csv").symlink_to(tmp_path / "secret.csv")
    store.refresh()
    with pytest.raises(UserError, match="outside"):
        store.file("sweep/one", "metrics.csv")
    write_run(tmp_path, "elsewhere", 0.9)
    (runs / "stolen").mkdir()
    (runs / "stolen/result.json").symlink_to(tmp_path / "elsewhere/result.json")
    assert "stolen" not in store.table().index
    assert len(store.faults()) == 1
