"""A run belongs to the data that it was made with: the same command on others says so, and shows no old number."""

import json
import shutil
from pathlib import Path

import pytest
import small_runs

from tradeoffs.commands.evaluate import evaluate
from tradeoffs.errors import UserError
from tradeoffs.results.record import read_record, write_record
from tradeoffs.runs import data_hashes
from tradeoffs.runs.data_hashes import data_now, unchanged
from tradeoffs.settings.compose import compose
from tradeoffs.sweeps import plan
from tradeoffs.sweeps.failures import record_failure


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run; to be changed."""
    return Path(shutil.copytree(finished_run, tmp_path / "runs" / "finished"))


@pytest.fixture
def moved(photos: Path, tmp_path: Path) -> Path:
    """The data, copied to another place."""
    return Path(shutil.copytree(photos, tmp_path / "moved"))


def relabel(data: Path, split: str = "val") -> None:
    file = small_runs.annotation_file(data, split)
    content = json.loads(file.read_text())
    content["annotations"][0]["bbox"][2] -= 1
    file.write_text(json.dumps(content))


def forget_hashes(folder: Path) -> None:
    """As a run of before there were any."""
    (folder / data_hashes.FILE).unlink()
    record = read_record(folder / "result.json")
    record.who.train_data = record.who.val_data = None
    write_record(folder / "result.json", record)


def done(data: Path, folder: Path) -> bool:
    plan._data_lately.cache_clear()
    return plan.done_record(plan.Job((), small_runs.settings(data, folder))) is not None


def test_a_record_says_which_data_it_belongs_to(photos, finished_run):
    who = read_record(finished_run / "result.json").who
    assert {"train": who.train_data, "val": who.val_data} == data_now(small_runs.settings(photos, finished_run))
    assert len({who.train_data, who.val_data}) == 2


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_finished_run_is_no_result_of_data_that_changed(moved, folder, split):
    relabel(moved, split)
    before = small_runs.files(folder)
    with pytest.raises(
        UserError, match=r"finished run on other data than .*; choose another name=, or overwrite"
    ) as said:
        small_runs.run(moved, folder)
    assert [line.partition(":")[0] for line in said.value.details] == [f"{data_hashes.SPLITS[split]} data"]
    assert not done(moved, folder)
    record_failure(small_runs.settings(moved, folder), said.value)  # as a sweep does
    assert small_runs.files(folder) == before


def test_data_that_moved_are_the_same_and_that_is_said(moved, photos, folder, capsys):
    small_runs.run(moved, folder)
    out = capsys.readouterr().out
    assert "is finished already" in out
    assert f"its data lie in {moved} now, no longer in {photos}; they are the same" in out
    assert done(moved, folder)


def test_data_that_are_gone_are_said(moved, folder, capsys):
    small_runs.annotation_file(moved, "train").unlink()
    small_runs.run(moved, folder)
    assert f"its data are not in {moved} now, so whether they have changed is not known" in capsys.readouterr().out


def test_a_run_of_before_is_shown_with_a_word_unless_its_data_moved(photos, moved, folder, capsys):
    forget_hashes(folder)
    small_runs.run(photos, folder)
    assert "whether its data have changed since then is not known" in capsys.readouterr().out
    assert done(photos, folder) and not done(moved, folder)
    with pytest.raises(
        UserError, match=rf"with data\.root={photos}, and whether {moved} holds the same data is not known"
    ):
        small_runs.run(moved, folder)


def test_a_broken_off_run_does_not_go_on_with_other_data(moved, folder):
    (folder / "result.json").unlink()
    relabel(moved)
    before = small_runs.files(folder)
    with pytest.raises(UserError, match="an unfinished run on other data than those that lie in"):
        small_runs.run(moved, folder)
    assert small_runs.files(folder) == before


def test_data_that_change_while_a_run_is_at_work_are_said(moved, folder):
    config = small_runs.settings(moved, folder)
    hashes = data_now(config)
    relabel(moved)
    left, (line,) = unchanged(config, hashes)
    assert left == {"train": hashes["train"], "val": None}
    assert line.startswith("validation data changed while the run was at work")


def test_an_evaluation_belongs_to_what_it_scored(moved, folder, capsys):
    relabel(moved)
    words = [f"run={folder}", "data=coco_folder", f"data.root={moved}", "trainer.accelerator=cpu", "workers=0"]
    evaluate(compose("evaluate", [*words, f"output={folder / 'again'}"]))
    assert "other validation images than those" in capsys.readouterr().out
    own, again = (read_record(place / "result.json").who for place in (folder, folder / "again"))
    assert own.train_data == again.train_data
    assert own.val_data != again.val_data == data_now(small_runs.settings(moved, folder))["val"]
